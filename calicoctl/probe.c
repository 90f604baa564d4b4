/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/probe.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/mem.h"

#define ANSWER_SEC 5
#define GET_INFO 64 /* IPT_SO_GET_INFO, IP6T_SO_GET_INFO: stable since Linux 2.4 */
#define TABLE_NAME 32

/* A request under construction. */
struct request {
	struct nlmsghdr head;
	char body[256];
};

static void *add(struct request *r, size_t len)
{
	void *at = (char *)r + NLMSG_ALIGN(r->head.nlmsg_len);

	r->head.nlmsg_len = (uint32_t)(NLMSG_ALIGN(r->head.nlmsg_len) + len);
	return at;
}

static void add_attr(struct request *r, uint16_t type, const void *data, size_t len)
{
	struct nlattr *a = add(r, NLA_HDRLEN + len);

	a->nla_len = (uint16_t)(NLA_HDRLEN + len);
	a->nla_type = type;
	memcpy((char *)a + NLA_HDRLEN, data, len);
}

static struct nfgenmsg *begin_nf(struct request *r, int subsystem, int message, uint16_t flags)
{
	struct nfgenmsg *g;

	*r = (struct request){ .head = { .nlmsg_len = NLMSG_HDRLEN,
		                         .nlmsg_type = (uint16_t)(subsystem << 8 | message),
		                         .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags) } };
	g = add(r, sizeof(*g));
	*g = (struct nfgenmsg){ .nfgen_family = AF_INET, .version = NFNETLINK_V0 };
	return g;
}

/* Whether the first answer is anything but an error. */
static bool ask(int protocol, const struct request *r)
{
	CLEANUP(close_p) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	const struct timeval limit = { .tv_sec = ANSWER_SEC };
	_Alignas(struct nlmsghdr) char in[8192];
	const struct nlmsghdr *h = (const struct nlmsghdr *)in;
	ssize_t n;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
	    send(fd, r, r->head.nlmsg_len, 0) < 0)
		return false;
	n = recv(fd, in, sizeof(in), 0);
	if (n < (ssize_t)sizeof(*h))
		return false;
	return h->nlmsg_type != NLMSG_ERROR ||
	       (n >= (ssize_t)(sizeof(*h) + sizeof(struct nlmsgerr)) &&
	        ((const struct nlmsgerr *)NLMSG_DATA(h))->error == 0);
}

static bool ask_table(const char *table, bool six)
{
	CLEANUP(close_p)
	int fd = socket(six ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	char info[256] = "";
	socklen_t len = TABLE_NAME + 13 * sizeof(unsigned); /* struct ipt_getinfo */

	snprintf(info, TABLE_NAME, "%s", table);
	return fd >= 0 &&
	       getsockopt(fd, six ? IPPROTO_IPV6 : IPPROTO_IP, GET_INFO, info, &len) == 0;
}

static bool ask_set(const char *type)
{
	const uint8_t protocol = 6,
	              family = AF_INET; /* of the ipset protocol: since Linux 2.6.39 */
	struct request r;

	(void)begin_nf(&r, NFNL_SUBSYS_IPSET, IPSET_CMD_TYPE, 0);
	add_attr(&r, IPSET_ATTR_PROTOCOL, &protocol, 1);
	add_attr(&r, IPSET_ATTR_TYPENAME, type, strlen(type) + 1);
	add_attr(&r, IPSET_ATTR_FAMILY, &family, 1);
	return ask(NETLINK_NETFILTER, &r);
}

static bool ask_link(const char *kind)
{
	struct request r = { .head = { .nlmsg_len = NLMSG_HDRLEN,
		                       .nlmsg_type = RTM_NEWLINK,
		                       .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE |
		                                      NLM_F_EXCL } };
	char nested[64];
	struct nlattr *a = (struct nlattr *)nested;
	size_t len = strlen(kind) + 1;

	memset(add(&r, sizeof(struct ifinfomsg)), 0, sizeof(struct ifinfomsg));
	*a = (struct nlattr){ (uint16_t)(NLA_HDRLEN + len), IFLA_INFO_KIND };
	memcpy(nested + NLA_HDRLEN, kind, len);
	add_attr(&r, IFLA_LINKINFO, nested, NLA_HDRLEN + len);
	return ask(NETLINK_ROUTE, &r);
}

static bool ask_conntrack(void)
{
	struct request r;

	(void)begin_nf(&r, NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET, NLM_F_DUMP);
	return ask(NETLINK_NETFILTER, &r);
}

/* ---- elsewhere */

enum question {
	TABLE,
	SET,
	LINK,
	CONNTRACK
};

/* In a child, which alone goes into the new namespace. */
static bool elsewhere(enum question q, const char *what, bool six)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		bool yes = unshare(CLONE_NEWNET) == 0 && (q == TABLE  ? ask_table(what, six)
		                                          : q == SET  ? ask_set(what)
		                                          : q == LINK ? ask_link(what)
		                                                      : ask_conntrack());

		_exit(yes ? 0 : 1);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool probe_table(const char *table, bool six)
{
	return elsewhere(TABLE, table, six);
}

bool probe_set(const char *type)
{
	return elsewhere(SET, type, false);
}

bool probe_link(const char *kind)
{
	return elsewhere(LINK, kind, false);
}

bool probe_conntrack(void)
{
	return elsewhere(CONNTRACK, NULL, false);
}
