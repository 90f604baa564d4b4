/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * err: a failure with a sentence.
 *
 * Functions that can fail in one way return a negative errno. Those with several ways also take a
 * struct err, last, and leave a sentence there that names the thing and the place. The struct is
 * the caller's, on its stack; NULL is allowed everywhere and means that nobody wants the sentence.
 * Whoever decides what to do about the failure logs it.
 */
#pragma once

struct err {
	int code;       /* negative errno */
	char text[512]; /* one sentence, no newline */
};

/* Records code and a sentence. Returns code, so that "return err_set(...)" reads well. */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Records errno (which must not be 0) and "sentence: its text". Returns -errno. */
int err_sys(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts "what: " before the sentence already there, on the way up. Returns code. */
int err_wrap(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
