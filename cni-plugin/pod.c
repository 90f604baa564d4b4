/* SPDX-License-Identifier: BSD-2-Clause */
#include "cni-plugin/pod.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/nl/netns.h"
#include "common/nl/rt.h"

#define MTU_FILE "/var/lib/calico/mtu"
#define MAC_RETRY_MS 100
#define MAC_RETRIES 50

static const struct mac_addr host_mac = POD_HOST_MAC;

static int kernel_failed(const struct err *err, struct cni_error *e)
{
	return cni_fail(e, CNI_FAILED, "%s", err->text);
}

static bool has_family(const struct attach *a, int family)
{
	if (a->ipam.n_ips == 0)
		return family == AF_INET ? a->ask4 : a->ask6;
	for (size_t i = 0; i < a->ipam.n_ips; i++)
		if (a->ipam.ips[i].address.addr.family == family)
			return true;
	return false;
}

static struct ip_addr addr_of(const char *s)
{
	struct ip_addr a = { 0 };

	(void)ip_addr_parse(s, &a);
	return a;
}

/* ---- namespaces */

/* The plugin in the pod's own namespace would take the host's interfaces for the pod's. */
static bool is_own(int netns_fd)
{
	struct stat own, pod;

	return stat("/proc/thread-self/ns/net", &own) == 0 && fstat(netns_fd, &pod) == 0 &&
	       own.st_dev == pod.st_dev && own.st_ino == pod.st_ino;
}

static int open_host(struct attach *a, struct cni_error *e)
{
	struct err err;

	if (a->host_nl || nl_conn_open(NETLINK_ROUTE, -1, &a->host_nl, &err) == 0)
		return 0;
	return kernel_failed(&err, e);
}

/*
 * Two ADDs for one namespace at once would take the interface from each other, and both might fail.
 * The namespace's own file is the lock: it is released, whatever happens, when the process ends.
 */
static int take_turn(struct attach *a, struct cni_error *e)
{
	static const struct timespec pause = { .tv_nsec = 2000000 };
	struct err err;

	while (flock(a->netns_fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR) {
			(void)err_sys(&err, "lock '%s'", a->env->netns);
			return kernel_failed(&err, e);
		}
		if (attach_left_ms(a) == 0)
			return cni_fail(e, CNI_TRY_AGAIN_LATER,
			                "another call for CNI_NETNS '%s' is still under way",
			                a->env->netns);
		(void)nanosleep(&pause, NULL);
	}
	return 0;
}

int pod_open(struct attach *a, struct cni_error *e)
{
	struct err err;

	if (netns_open(a->env->netns, &a->netns_fd, &err) < 0)
		return cni_fail(e, CNI_INVALID_ENVIRONMENT, "CNI_NETNS: %s", err.text);
	if (is_own(a->netns_fd))
		return cni_fail(e, CNI_OWN_NETNS,
		                "CNI_NETNS '%s' is the plugin's own network namespace",
		                a->env->netns);
	if (take_turn(a, e) < 0 || open_host(a, e) < 0)
		return -1;
	return nl_conn_open(NETLINK_ROUTE, a->netns_fd, &a->pod_nl, &err) < 0
	               ? kernel_failed(&err, e)
	               : 0;
}

void pod_close(struct attach *a)
{
	nl_conn_close(a->host_nl);
	nl_conn_close(a->pod_nl);
	close_p(&a->netns_fd);
	a->host_nl = a->pod_nl = NULL;
	a->netns_fd = -1;
}

int pod_mtu(struct attach *a, struct cni_error *e)
{
	CLEANUP(free_p) char *text = NULL;
	struct err err;
	unsigned long mtu;
	char *end;
	size_t len;
	int r = file_read(MTU_FILE, 64, &text, &len, &err);

	a->mtu = a->config->mtu;
	if (r == -ENOENT && !a->config->require_mtu_file)
		return 0;
	if (r < 0)
		return cni_fail(e, CNI_TRY_AGAIN_LATER, "failed to read MTU file: %s", err.text);
	/* A malformed file is an error even where the configuration has its own value, as upstream
	 * has it. */
	mtu = strtoul(text, &end, 10);
	if (end == text || end[strspn(end, " \t\r\n")] || mtu > 65535)
		return cni_fail(e, CNI_FAILED,
		                "failed to read MTU file: '%s' holds \"%s\", which is no MTU",
		                MTU_FILE, LOG_VIS(text));
	if (!a->mtu)
		a->mtu = (uint32_t)mtu;
	return 0;
}

/* ---- making the pair */

/* A MAC that came with the request stays; but somebody who listens for new links (udev) may just be
 * changing it. */
static int host_mac_set(struct attach *a, struct cni_error *e)
{
	struct rt_link_change change = { .up = -1, .mac = &host_mac };
	struct rt_link l;
	struct err err;

	for (int i = 0; i < MAC_RETRIES && attach_left_ms(a) > 0; i++) {
		if (rt_link_get(a->host_nl, a->host_index, a->host_if, &l, &err) < 0)
			return kernel_failed(&err, e);
		a->host_index = l.ifindex;
		if (memcmp(&l.mac, &host_mac, sizeof(host_mac)) == 0)
			return 0;
		if (i > 0)
			(void)poll(NULL, 0, MAC_RETRY_MS);
		if (nl_request(a->host_nl, rt_link_set(l.ifindex, &change), &err,
		               "MAC address of %s", a->host_if) < 0) {
			log_warn("the host's end keeps the kernel's MAC", "error=%s",
			         LOG_VIS(err.text));
			return 0;
		}
	}
	return cni_fail(
	        e, CNI_FAILED,
	        "timed out waiting for host-side interface \"%s\" to accept MAC ee:ee:ee:ee:ee:ee",
	        a->host_if);
}

static int new_pair(struct attach *a, const struct rt_veth *veth, struct err *err)
{
	return nl_request(a->host_nl, rt_veth_new(veth), err,
	                  "create the veth pair %s (in the pod) and %s", veth->name,
	                  veth->peer_name);
}

int pod_create(struct attach *a, struct cni_error *e)
{
	const struct rt_veth veth = {
		.name = a->env->ifname,
		.netns_fd = a->netns_fd,
		.peer_name = a->host_if,
		.peer_netns_fd = -1,
		.mtu = a->mtu,
		.num_queues = a->config->num_queues,
		.peer_mac = &host_mac,
	};
	struct rt_link l;
	struct err err;
	int r = new_pair(a, &veth, &err);

	/* The pair of an earlier sandbox of this pod, or of a first ADD of this one. */
	if (r == -EEXIST) {
		r = nl_request(a->host_nl, rt_link_delete(0, a->host_if), &err, "delete the old %s",
		               a->host_if);
		if (r < 0 && r != -ENODEV)
			return kernel_failed(&err, e);
		if (r == 0)
			log_info("earlier interface removed", "interface=%s", a->host_if);
		r = new_pair(a, &veth, &err);
	}
	if (r < 0)
		return kernel_failed(&err, e);
	a->pod_index = -1; /* it is there: pod_undo() has something to do */
	if (rt_link_get(a->pod_nl, 0, a->env->ifname, &l, &err) < 0)
		return kernel_failed(&err, e);
	a->pod_index = l.ifindex;
	a->pod_mac = l.mac;
	return host_mac_set(a, e);
}

void pod_undo(struct attach *a)
{
	struct err err;

	if (a->pod_index == 0)
		return;
	if (nl_request(a->host_nl, rt_link_delete(0, a->host_if), &err, "delete %s", a->host_if) <
	            0 &&
	    err.code != -ENODEV)
		log_error("a failed ADD leaves an interface behind", "interface=%s error=%s",
		          a->host_if, LOG_VIS(err.text));
	a->pod_index = 0;
}

/* ---- sysctls */

struct sysctl {
	int family;         /* only when the pod has an address of this family; 0: always */
	const char *format; /* with the interface's name where a %s stands */
	const char *value;
	bool fatal;
};

/* The order is upstream's; the link is still down. */
static const struct sysctl host_sysctls[] = {
	{ AF_INET, "ipv4/conf/%s/route_localnet", "1", true },
	{ AF_INET, "ipv4/neigh/%s/proxy_delay", "0", false },
	{ AF_INET, "ipv4/conf/%s/proxy_arp", "1", true },
	{ AF_INET, "ipv4/conf/%s/forwarding", "1", true },
	{ AF_INET6, "ipv6/conf/%s/accept_dad", "0", true },
	{ AF_INET6, "ipv6/conf/%s/disable_ipv6", "0", true },
	{ AF_INET6, "ipv6/conf/%s/proxy_ndp", "1", true },
	{ AF_INET6, "ipv6/conf/%s/forwarding", "1", true },
	{ 0, "ipv6/conf/%s/accept_ra", "0", false },
};
static const struct sysctl pod_before[] = {
	{ AF_INET6, "ipv6/conf/%s/accept_dad", "0", true },
};
static const struct sysctl pod_after_up[] = {
	{ AF_INET6, "ipv6/conf/all/disable_ipv6", "0", true },
	{ AF_INET6, "ipv6/conf/default/disable_ipv6", "0", true },
	{ AF_INET6, "ipv6/conf/lo/disable_ipv6", "0", true },
};
static const struct sysctl pod_closed[] = {
	{ AF_INET, "ipv4/ip_forward", "0", true },
	{ AF_INET6, "ipv6/conf/all/forwarding", "0", true },
};
static const struct sysctl pod_open_to_others[] = {
	{ AF_INET, "ipv4/ip_forward", "1", true },
	{ AF_INET6, "ipv6/conf/all/forwarding", "1", true },
};

struct sysctl_job {
	const struct attach *a;
	const struct sysctl *list;
	size_t n;
	const char *ifname;
};

static void sysctl_path(char *out, size_t size, const char *format, const char *ifname)
{
	const char *at = strstr(format, "%s");

	if (at)
		(void)snprintf(out, size, "/proc/sys/net/%.*s%s%s", (int)(at - format), format,
		               ifname, at + 2);
	else
		(void)snprintf(out, size, "/proc/sys/net/%s", format);
}

static int write_sysctls(void *arg, struct err *err)
{
	const struct sysctl_job *job = arg;
	char path[128];

	for (size_t i = 0; i < job->n; i++) {
		const struct sysctl *s = &job->list[i];
		int r;

		if (s->family && !has_family(job->a, s->family))
			continue;
		sysctl_path(path, sizeof(path), s->format, job->ifname);
		r = sysctl_write(path, s->value, err);
		if (r < 0 && s->fatal)
			return r;
		if (r < 0)
			log_warn("sysctl not written", "path=%s error=%s", path,
			         LOG_VIS(err->text));
	}
	return 0;
}

/* Does the list hold anything for this pod? It saves two changes of namespace. */
static bool concerns(const struct sysctl_job *job)
{
	for (size_t i = 0; i < job->n; i++)
		if (!job->list[i].family || has_family(job->a, job->list[i].family))
			return true;
	return false;
}

static int pod_sysctls(struct attach *a, const struct sysctl *list, size_t n, struct cni_error *e)
{
	struct sysctl_job job = { a, list, n, a->env->ifname };
	struct err err;

	if (!concerns(&job))
		return 0;
	return netns_do(a->netns_fd, write_sysctls, &job, &err) < 0 ? kernel_failed(&err, e) : 0;
}

int pod_host_up(struct attach *a, struct cni_error *e)
{
	struct sysctl_job job = { a, host_sysctls, ARRAY_SIZE(host_sysctls), a->host_if };
	struct rt_link_change up = { .up = 1 };
	struct err err;

	if (write_sysctls(&job, &err) < 0 || nl_request(a->host_nl, rt_link_set(a->host_index, &up),
	                                                &err, "set %s up", a->host_if) < 0)
		return kernel_failed(&err, e);
	return 0;
}

/* ---- the pod's end */

struct verdicts {
	int code;
	uint64_t id;
	char text[128];
};

static void on_verdict(void *arg, uint64_t id, int code, const char *text)
{
	struct verdicts *v = arg;

	if (code == 0 || v->code)
		return;
	v->code = code;
	v->id = id;
	(void)snprintf(v->text, sizeof(v->text), "%s", text ? text : strerror(-code));
}

/* What the pod's routes lead to, in order: what the configuration names, else everything. */
static size_t destinations(const struct attach *a, struct ip_prefix *out)
{
	static const char *const defaults[] = { "0.0.0.0/0", "::/0" };
	const struct cni_config *c = a->config;
	size_t n = 0;

	for (size_t i = 0; i < c->n_routes; i++)
		out[n++] = c->routes[i];
	for (size_t i = 0; (n == 0 || c->include_default_routes) && i < ARRAY_SIZE(defaults); i++)
		(void)ip_prefix_parse(defaults[i], &out[c->n_routes + i]);
	if (n == 0 || c->include_default_routes)
		n = c->n_routes + ARRAY_SIZE(defaults);
	return n;
}

static void add_routes(struct attach *a, struct nl_batch *b)
{
	struct rt_route r = {
		.ifindex = a->pod_index,
		.type = RTN_UNICAST,
		.scope = RT_SCOPE_LINK,
		.protocol = RTPROT_BOOT,
		.table = RT_TABLE_MAIN,
	};
	struct ip_prefix to[CNI_ROUTES_MAX + 2];
	struct ip_addr gateways[] = { addr_of(POD_GATEWAY4), addr_of(POD_GATEWAY6) };
	size_t n = destinations(a, to);

	if (has_family(a, AF_INET)) {
		r.dst = ip_prefix_host(&gateways[0]);
		nl_batch_add(b, rt_route_add(&r, false), 0);
	}
	r.scope = RT_SCOPE_UNIVERSE;
	for (size_t i = 0; i < n; i++) {
		if (!has_family(a, to[i].addr.family))
			continue;
		r.dst = to[i];
		r.via = gateways[to[i].addr.family == AF_INET6];
		nl_batch_add(b, rt_route_add(&r, false), 1);
	}
}

int pod_forwarding(struct attach *a, struct cni_error *e)
{
	if (a->config->allow_ip_forwarding)
		return pod_sysctls(a, pod_open_to_others, ARRAY_SIZE(pod_open_to_others), e);
	return pod_sysctls(a, pod_closed, ARRAY_SIZE(pod_closed), e);
}

int pod_configure(struct attach *a, struct cni_error *e)
{
	static const char *const steps[] = { "route to 169.254.1.1", "route", "address",
		                             "setting it up" };
	struct rt_link_change up = { .up = 1 };
	struct verdicts v = { 0 };
	struct nl_batch *b;
	struct err err;
	int r;

	/* The kernel takes what is gathered one by one, in order: after the first that fails the
	 * others fail as well, and the first is told of. */
	b = nl_batch_new(a->pod_nl);
	nl_batch_add(b, rt_link_set(a->pod_index, &up), 3);
	if (has_family(a, AF_INET6)) {
		/* Some sysctls come before, others after. */
		r = pod_sysctls(a, pod_before, ARRAY_SIZE(pod_before), e);
		if (r == 0 && nl_batch_commit(b, on_verdict, &v, &err) < 0)
			r = kernel_failed(&err, e);
		if (r == 0)
			r = pod_sysctls(a, pod_after_up, ARRAY_SIZE(pod_after_up), e);
		if (r < 0) {
			nl_batch_free(b);
			return -1;
		}
	}
	add_routes(a, b);
	for (size_t i = 0; i < a->ipam.n_ips; i++) {
		struct rt_addr address = { .ifindex = a->pod_index,
			                   .prefix = ip_prefix_host(&a->ipam.ips[i].address.addr) };

		nl_batch_add(b, rt_addr_add(&address), 2);
	}
	r = nl_batch_commit(b, on_verdict, &v, &err);
	nl_batch_free(b);
	if (r < 0)
		return kernel_failed(&err, e);
	if (v.code)
		return cni_fail(e, CNI_FAILED, "%s on %s in the pod: %s", steps[v.id],
		                a->env->ifname, v.text);
	return 0;
}

/* ---- removing */

static int delete_link(struct nl_conn *nl, const char *name, bool *ret_gone, struct cni_error *e)
{
	struct err err;
	int r = nl_request(nl, rt_link_delete(0, name), &err, "delete interface %s", name);

	*ret_gone = r == 0;
	return r < 0 && r != -ENODEV ? kernel_failed(&err, e) : 0;
}

int pod_remove(struct attach *a, bool *ret_gone, struct cni_error *e)
{
	struct err err;
	int r = -ENOENT;

	*ret_gone = false;
	if (*a->env->netns)
		r = netns_open(a->env->netns, &a->netns_fd, &err);
	/* A path that is there but leads to no namespace (any more) is a namespace that is gone. */
	if (r == -ENOENT || r == -EINVAL)
		return 0;
	if (r < 0)
		return cni_fail(e, CNI_FAILED, "failed to enter netns: %s", err.text);
	if (is_own(a->netns_fd))
		return cni_fail(e, CNI_OWN_NETNS,
		                "CNI_NETNS '%s' is the plugin's own network namespace",
		                a->env->netns);
	if (nl_conn_open(NETLINK_ROUTE, a->netns_fd, &a->pod_nl, &err) < 0)
		return kernel_failed(&err, e);
	return delete_link(a->pod_nl, a->env->ifname, ret_gone, e);
}

int pod_remove_host(struct attach *a, struct cni_error *e)
{
	bool gone;

	return open_host(a, e) < 0 ? -1 : delete_link(a->host_nl, a->host_if, &gone, e);
}

/* ---- checking */

struct found {
	int ifindex;
	struct ip_prefix addrs[64];
	size_t n_addrs;
	struct rt_route routes[64];
	size_t n_routes;
};

static int on_found(const struct nlmsghdr *h, void *arg)
{
	struct found *f = arg;
	struct rt_addr addr;
	struct rt_route route;

	if (!h)
		f->n_addrs = f->n_routes = 0;
	else if (f->n_addrs < ARRAY_SIZE(f->addrs) && rt_addr_parse(h, &addr) == 0 &&
	         addr.ifindex == f->ifindex)
		f->addrs[f->n_addrs++] = addr.prefix;
	else if (f->n_routes < ARRAY_SIZE(f->routes) && rt_route_parse(h, &route) == 0 &&
	         route.ifindex == f->ifindex)
		f->routes[f->n_routes++] = route;
	return 0;
}

static bool has_route(const struct found *f, const struct ip_prefix *dst, const struct ip_addr *via)
{
	for (size_t i = 0; i < f->n_routes; i++)
		if (ip_prefix_eq(&f->routes[i].dst, dst) && ip_addr_eq(&f->routes[i].via, via))
			return true;
	return false;
}

static int check_routes(struct attach *a, const struct found *f, struct cni_error *e)
{
	struct ip_addr gateways[] = { addr_of(POD_GATEWAY4), addr_of(POD_GATEWAY6) };
	struct ip_prefix link = ip_prefix_host(&gateways[0]);
	struct ip_prefix to[CNI_ROUTES_MAX + 2];
	struct ip_addr none = { 0 };
	char text[IP_PREFIX_STR_MAX];
	size_t n = destinations(a, to);

	if (has_family(a, AF_INET) && !has_route(f, &link, &none))
		return cni_fail(e, CNI_FAILED, "%s has no route to %s in the pod", a->env->ifname,
		                POD_GATEWAY4);
	for (size_t i = 0; i < n; i++)
		if (has_family(a, to[i].addr.family) &&
		    !has_route(f, &to[i], &gateways[to[i].addr.family == AF_INET6]))
			return cni_fail(e, CNI_FAILED, "%s has no route to %s in the pod",
			                a->env->ifname, ip_prefix_str(&to[i], text));
	return 0;
}

int pod_check(struct attach *a, const struct cni_result *want, struct cni_error *e)
{
	struct found f = { 0 };
	char text[IP_ADDR_STR_MAX];
	struct rt_link l;
	struct err err;

	if (rt_link_get(a->pod_nl, 0, a->env->ifname, &l, &err) < 0)
		return cni_fail(e, CNI_FAILED, "in the pod: %s", err.text);
	if (!(l.flags & IFF_UP))
		return cni_fail(e, CNI_FAILED, "interface %s is down in the pod", a->env->ifname);
	f.ifindex = l.ifindex;
	if (nl_dump_all(a->pod_nl, rt_addr_dump(0), on_found, &f, &err) < 0 ||
	    nl_dump_all(a->pod_nl, rt_route_dump(0, 0, 0), on_found, &f, &err) < 0)
		return kernel_failed(&err, e);
	for (size_t i = 0; i < want->n_ips; i++) {
		bool there = false;

		for (size_t k = 0; k < f.n_addrs; k++)
			there = there || ip_addr_eq(&f.addrs[k].addr, &want->ips[i].address.addr);
		if (!there)
			return cni_fail(e, CNI_FAILED, "%s does not have the address %s in the pod",
			                a->env->ifname,
			                ip_addr_str(&want->ips[i].address.addr, text));
	}
	if (check_routes(a, &f, e) < 0)
		return -1;
	if (rt_link_get(a->host_nl, 0, a->host_if, &l, &err) < 0)
		return kernel_failed(&err, e);
	if (!(l.flags & IFF_UP))
		return cni_fail(e, CNI_FAILED, "interface %s is down", a->host_if);
	return 0;
}
