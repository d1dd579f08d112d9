/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_GC_H
#define MOIETY_AGGREGATOR_GC_H

#include "aggregator/context.h"

/*
 * What has to be done now and then at either role: reports and report IDs that
 * are older than the task's report_expiry_s are forgotten, what others made here
 * goes once nobody can ask for it any more, and HPKE keys rotate by age.
 *
 * Forgetting never opens a gap for replay: the store first moves a watermark
 * that never moves back, behind which all reports are refused, then deletes. It
 * is never ahead of an unfinished job. Collected marks stay as long as the task.
 */

/* How long a finished, failed or deleted resource can still be asked for. A
 * leader that was away for less gets its helper's stored answers again. */
enum { GC_RESOURCE_RETAIN_S = 14 * 24 * 3600 };

/* Runs every gc_interval_s on the queue until the aggregator drains. */
struct status gc_start(struct aggregator *aggregator);

/* One pass, on the caller's thread. Failures of one task don't keep others. */
struct status gc_pass(struct aggregator *aggregator);

#endif
