# ipamd: IP address allocator of the node
ipamd_core := ipamd/block.c ipamd/choose.c ipamd/pool.c
ipamd_src  := ipamd/main.c ipamd/cache.c ipamd/lane.c ipamd/handle.c ipamd/claim.c ipamd/request.c ipamd/assign.c \
              ipamd/release.c ipamd/check.c ipamd/api.c ipamd/ctl.c $(ipamd_core)
$(call program,ipamd/ipamd,$(ipamd_src),-luv -lprotobuf-c)
