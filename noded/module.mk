# noded: this node's own record in the datastore
noded_src := noded/main.c noded/keep.c noded/addrs.c noded/detect.c noded/record.c
$(call program,noded/noded,$(noded_src),-luv -lprotobuf-c -lcap-ng -lnl-3)
$(call unit_test,noded_detect,noded/detect.c noded/record.c,-lyajl -lprotobuf-c)
