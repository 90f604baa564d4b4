#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The cluster of suite-demo.sh, with etcd as its datastore.
LAB_DATASTORE=etcd exec "$(dirname "$0")/../integration/suite-demo.sh"
