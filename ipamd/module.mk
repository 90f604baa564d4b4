# ipamd: IP address allocator of the node
ipamd_core := ipamd/choose.c ipamd/pool.c
ipamd_src  := ipamd/main.c ipamd/cache.c ipamd/lane.c ipamd/handle.c ipamd/claim.c ipamd/request.c ipamd/assign.c \
              ipamd/release.c ipamd/check.c ipamd/api.c ipamd/ctl.c $(ipamd_core)
$(call program,ipamd/ipamd,$(ipamd_src),-luv -lprotobuf-c -lcap-ng)
$(call unit_test,ipamd_choose,ipamd/choose.c ipamd/pool.c,-lyajl -lprotobuf-c)
$(call program,test/integration/ipam_client,test/integration/ipam_client.c,-luv -lyajl -lprotobuf-c)
