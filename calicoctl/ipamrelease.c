/* SPDX-License-Identifier: BSD-2-Clause */
/* ipam release: one address, or what reports of `ipam check` show as leaked. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "calicoctl/cluster.h"
#include "calicoctl/ipam.h"
#include "calicoctl/release.h"
#include "calicoctl/report.h"
#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/base/version.h"

#define HANDLE V3__KIND__KIND_IPAM_HANDLE

static int release_one(struct db *db, const struct ip_addr *addr)
{
	struct release_wish wish = { .addr = *addr };
	struct release_outcome outcome;
	char text[IP_ADDR_STR_MAX];
	struct err err;

	(void)ip_addr_str(addr, text);
	if (release_wishes(db, &wish, 1, &outcome, &err) != 0) {
		fprintf(stderr, "error: %s\n", err.text);
		return 1;
	}
	if (outcome.released == 0) {
		fprintf(stderr, "IP address %s is not assigned\n", text);
		return 1;
	}
	printf("Successfully released IP address %s\n", text);
	return 0;
}

/* ---- from reports */

/* A report must be of this cluster, whatever is forced; and of this version. */
static int read_report(const char *path, const struct cluster_state *cluster, bool force,
                       struct report *ret, struct err *err)
{
	CLEANUP(free_p) char *text = NULL;
	const char *version;
	size_t len;
	int rc = file_read(path, REPORT_MAX, &text, &len, err);

	if (rc == 0)
		rc = report_read(text, len, ret, err);
	if (rc)
		return err_wrap(err, rc, "%s", path);
	if (strcmp(ret->cluster_guid ? ret->cluster_guid : "", cluster->guid) != 0)
		return err_set(err, -EINVAL,
		               "cluster does not match the provided report (%s): mismatched "
		               "cluster GUID. Refusing to release",
		               path);
	version = ret->version ? ret->version : "";
	if (strcmp(version, percale_version) == 0)
		return 0;
	if (!force)
		return err_set(err, -EINVAL,
		               "the provided report (%s) was produced using a different version "
		               "(%s) of calicoctl. Refusing to release",
		               path, version);
	puts("WARNING: Report was produced using a different version of calicoctl. Ignoring due to "
	     "--force option");
	return 0;
}

static int read_reports(const struct options *o, const struct cluster_state *cluster,
                        struct report *reports, struct err *err)
{
	bool current = false;
	char revision[24];

	snprintf(revision, sizeof(revision), "%llu", (unsigned long long)cluster->revision);
	for (size_t i = 0; i < o->ipam.from_reports.n; i++) {
		int rc = read_report(o->ipam.from_reports.items[i], cluster, o->ipam.force,
		                     &reports[i], err);

		if (rc)
			return rc;
		current = current || (reports[i].cluster_revision &&
		                      strcmp(reports[i].cluster_revision, revision) == 0);
	}
	if (!current)
		return err_set(err, -EINVAL,
		               "the provided reports are all stale - at least one should be "
		               "up-to-date. Please generate a new report while the data store is "
		               "locked and try again");
	if (!cluster->locked && !o->ipam.force)
		return err_set(err, -EINVAL,
		               "data store is not locked. Either lock the data store, or re-run "
		               "with --force");
	if (!cluster->locked)
		puts("WARNING: Data store is not locked. Ignoring due to --force option");
	return 0;
}

/* false: not all went as it should. */
static bool release_leaked(struct db *db, const struct report *leaks)
{
	CLEANUP(free_p)
	struct release_wish *wishes = xcalloc(leaks->n_addresses + 1, sizeof(*wishes));
	struct release_outcome outcome;
	struct err err = { 0 };

	if (leaks->n_addresses == 0) {
		puts("Report didn't contain any leaked IPs to clean up.");
		return true;
	}
	for (size_t i = 0; i < leaks->n_addresses; i++)
		wishes[i] =
		        (struct release_wish){ leaks->addresses[i].ip, leaks->addresses[i].handle,
			                       leaks->addresses[i].has_sequence,
			                       leaks->addresses[i].sequence };
	printf("Releasing %zu old IPs...\n", leaks->n_addresses);
	fflush(stdout);
	if (release_wishes(db, wishes, leaks->n_addresses, &outcome, &err) == 0 && outcome.changed)
		err = outcome.why;
	if (err.code)
		printf("An error occurred while releasing some IPs: %s.  Problems are often caused "
		       "by an out-of-date IPAM report.  Try regenerating the IPAM report and "
		       "retry.\n",
		       err.text);
	printf("Released %zu IPs successfully\n", outcome.released);
	if (outcome.unallocated)
		printf("%zu addresses marked as leaked in the report had already been cleaned "
		       "up.\n",
		       outcome.unallocated);
	return err.code == 0;
}

/* 0: deleted; 1: missing, or no longer what the report saw. */
static int delete_handle(struct db *db, const struct report_handle *h, struct err *err)
{
	CLEANUP(result_p) struct store_result *r = db_get(db, HANDLE, NULL, h->id), *done = NULL;
	char revision[24];

	if (r->status == STORE_OK) {
		snprintf(revision, sizeof(revision), "%llu",
		         (unsigned long long)r->items[0]->revision);
		if (!h->revision || strcmp(revision, h->revision) != 0)
			return 1;
		done = db_remove(db, HANDLE, NULL, h->id, r->items[0]->revision);
		if (done->status == STORE_OK)
			return 0;
	}
	db_error(done ? done : r, HANDLE, NULL, h->id, err);
	return err->code == -ENOENT || err->code == -EAGAIN ? 1 : err->code;
}

static bool delete_handles(struct db *db, const struct report *leaks)
{
	size_t deleted = 0, skipped = 0, errors = 0;

	if (leaks->n_handles == 0) {
		puts("Report didn't contain any handles to clean up.");
		return true;
	}
	printf("Deleting %zu handles...\n"
	       "Key: '.' = Deleted OK; 'x' = skip, handle missing/changed.\n",
	       leaks->n_handles);
	for (size_t i = 0; i < leaks->n_handles; i++) {
		struct err err;
		int rc = delete_handle(db, &leaks->handles[i], &err);

		if (rc == 0) {
			deleted++;
			putchar('.');
		} else if (rc > 0) {
			skipped++;
			putchar('x');
		} else {
			errors++;
			printf("\nDeleting handle %s failed: %s.\n", leaks->handles[i].id,
			       err.text);
		}
	}
	printf("\nReleased %zu handles; %zu skipped; %zu errors.\n", deleted, skipped, errors);
	return errors == 0;
}

static int release_from_reports(const struct options *o, struct db *db)
{
	size_t n = o->ipam.from_reports.n;
	CLEANUP(free_p) struct report *reports = xcalloc(n, sizeof(*reports));
	CLEANUP(report_done) struct report leaks = { 0 };
	CLEANUP(cluster_state_done) struct cluster_state cluster = { 0 };
	bool ok = true;
	struct err err;
	int rc = cluster_read(db, &cluster, &err);

	if (rc == 0)
		rc = read_reports(o, &cluster, reports, &err);
	if (rc) {
		fflush(stdout);
		fprintf(stderr, "%s\n", err.text);
	} else {
		report_leaks(reports, n, &leaks);
		ok = release_leaked(db, &leaks);
		ok = delete_handles(db, &leaks) && ok;
		puts("You may now unlock the data store.");
	}
	for (size_t i = 0; i < n; i++)
		report_done(&reports[i]);
	return rc || !ok ? 1 : 0;
}

int cmd_ipam_release(const struct options *o)
{
	struct ip_addr addr;
	struct db *db;
	int status;

	if (o->ipam.from_reports.n == 0 && (!o->ipam.ip || !*o->ipam.ip))
		return 0; /* nothing to do: as upstream has it */
	if (o->ipam.from_reports.n == 0 && ipam_address(o->ipam.ip, &addr) != 0)
		return 1;
	db = db_begin(o, false);
	if (!db)
		return 1;
	status = o->ipam.from_reports.n ? release_from_reports(o, db) : release_one(db, &addr);
	db_close(db);
	return status;
}
