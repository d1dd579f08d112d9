# SPDX-License-Identifier: Apache-2.0
"""A row for people."""


def _figures(values, unit):
    return ", ".join(f"{name} {value:{unit}}" for name, value in values.items())


def text(row):
    lines = [row["phase"]]
    if "reports" in row:
        rate = row["reports"] / row["seconds"]
        lines[0] += f": {row['reports']:,} reports in {row['seconds']:.2f} s, {rate:,.0f}/s"
    if "fdatasync_ms" in row:
        lines[0] += f": fdatasync of a page takes {row['fdatasync_ms']:.2f} ms"
    if "report_bytes" in row:
        lines[0] += f", {row['report_bytes']:.0f} bytes each"
    if "upload_seconds" in row:
        lines.append(f"  uploads ended after {row['upload_seconds']:.2f} s, with "
                     f"{row['aggregated_meanwhile']:,} reports aggregated")
    if "load" in row:
        load = row["load"]
        lines.append(f"  requests: {load['requests']:,}, p50 {load['p50_ms']:.2f} ms, "
                     f"p99 {load['p99_ms']:.2f} ms, slowest {load['max_ms']:.2f} ms, "
                     f"{load['retries']} sent again")
    if "cpu_ms_per_report" in row:
        lines.append(f"  CPU ms a report: {_figures(row['cpu_ms_per_report'], '.4f')}")
        for name, stored in row["bytes_per_report"].items():
            lines.append(f"  bytes a report, {name}: {_figures(stored, ',.0f')}")
        lines.append(f"  MiB resident at most: {_figures(row['resident_mib'], ',.0f')}")
    if row.get("exact"):
        lines[0] += ": the result is exact"
    return "\n".join(lines)
