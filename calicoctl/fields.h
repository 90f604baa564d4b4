/* SPDX-License-Identifier: BSD-2-Clause */
/* fields: the comments of proto/v3_*.proto; the table is made of them when the program is built. */
#pragma once

struct field_comment {
	const char *message; /* "v3.IpPoolSpec"; ends the table when NULL */
	const char *field;   /* "": of the message itself */
	const char *text;
};

extern const struct field_comment field_comments[];
