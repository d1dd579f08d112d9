# SPDX-License-Identifier: Apache-2.0
"""C names for the names of a schema."""

import re


def snake(name):
    """ReportID gives report_id, HpkeConfigList hpke_config_list."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def constant(enum_name, value_name):
    return f"{snake(enum_name)}_{value_name}".upper()
