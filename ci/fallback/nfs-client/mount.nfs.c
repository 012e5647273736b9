/* mount.nfs for kernels without an NFS client: FUSE (libfuse3) on top of libnfs.
 *
 * Each request goes to the server as AUTH_SYS with uid, gid and at most 16
 * supplementary groups of the calling process, over a connection of its own for
 * each such identity; the server alone decides about permissions (no
 * default_permissions, no attribute or name caching).
 *
 * Good for: permissions, root_squash, the kubelet's mounts and their events,
 * subPath, outages (hard and soft), a full file system.
 * Not for: locking (flock and fcntl are local to one mount), NFSv4 (nfsvers is
 * ignored, the wire is always version 3), Kerberos, speed. Where the kernel has
 * a client, use that.
 *
 * The Dockerfile beside this builds it, statically and with --wrap=connect.
 */
#define FUSE_USE_VERSION 31
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <nfsc/libnfs.h>
#include <nfsc/libnfs-zdr.h>
#include <nfsc/libnfs-raw.h>
#include <nfsc/libnfs-raw-nfs.h>

struct session {                        /* one connection per credential */
	struct session *next;
	uid_t uid; gid_t gid; int n; gid_t groups[16];
	struct nfs_context *nfs;
};
/* libnfs reconnects without a pause while the server refuses: brake (link with --wrap=connect) */
int __real_connect(int, const struct sockaddr *, socklen_t);
int __wrap_connect(int fd, const struct sockaddr *a, socklen_t l)
{
	static time_t second; static int n;
	if (time(NULL) != second) { second = time(NULL); n = 0; }
	if (++n > 20) usleep(200000);
	return __real_connect(fd, a, l);
}

struct handle { struct nfs_context *nfs; struct nfsfh *fh; };

static struct session *sessions;
static char *server, *export;
static int soft, timeo = 600, retrans = 3, port, mountport;

static struct nfs_context *connect_as(uid_t uid, gid_t gid, int n, gid_t *groups, char *why, int *err)
{
	uint32_t g[16];
	char host[65] = "";
	struct nfs_context *nfs = nfs_init_context();
	if (!nfs) { *err = -ENOMEM; return NULL; }
	for (int i = 0; i < n; i++) g[i] = groups[i];
	gethostname(host, 64);
	nfs_set_auth(nfs, libnfs_authunix_create(host, uid, gid, n, g));
	nfs_umask(nfs, 0);              /* the kernel has applied the caller's umask */
	nfs_set_dircache(nfs, 0);
	nfs_set_autoreconnect(nfs, -1);
	nfs_set_timeout(nfs, soft ? (timeo * 100 * (retrans + 1) + 999) / 1000 * 1000 : 10000); /* whole seconds */
	if (port || mountport) {        /* without these the portmapper is asked */
		char url[256];
		snprintf(url, sizeof url, "nfs://%s/?nfsport=%d&mountport=%d", server,
			 port ? port : 2049, mountport ? mountport : port);
		struct nfs_url *u = nfs_parse_url_incomplete(nfs, url);
		if (u) nfs_destroy_url(u);
	}
	*err = nfs_mount(nfs, server, export);
	if (!*err) return nfs;
	if (why) snprintf(why, 512, "%s", nfs_get_error(nfs));
	nfs_destroy_context(nfs);
	return NULL;
}

static int missing(void)                /* Ganesha's MOUNT says EACCES for a path that is not there: ask its parents */
{
	char *whole = export, *end;
	int r = 0, err;
	struct nfs_stat_64 n;
	while (!r && (end = strrchr(export, '/')) > export) {
		export = strndup(export, end - export);
		struct nfs_context *nfs = connect_as(0, 0, 0, NULL, NULL, &err);
		if (!nfs) continue;
		r = nfs_lstat64(nfs, whole + strlen(export), &n);
		nfs_destroy_context(nfs);
		break;
	}
	export = whole;
	return r == -ENOENT;
}

static int dying(void)                  /* the caller has been sent SIGKILL */
{
	char path[64], line[128];
	unsigned long long mask, pending = 0;
	snprintf(path, sizeof path, "/proc/%d/status", fuse_get_context()->pid);
	FILE *f = fopen(path, "r");
	if (!f) return 1;
	while (fgets(line, sizeof line, f))
		if (sscanf(line, "SigPnd: %llx", &mask) == 1 || sscanf(line, "ShdPnd: %llx", &mask) == 1) pending |= mask;
	fclose(f);
	return pending >> (SIGKILL - 1) & 1;
}
static int late(int r) { return r == -EINTR || r == -ETIMEDOUT || r == -ECONNREFUSED; } /* libnfs: EINTR = timed out */
/* hard: again and again while the caller lives; soft: EIO */
#define CALL(x) ({ int r_; do r_ = (x); while (late(r_) && !soft && !dying()); late(r_) ? -EIO : r_; })

static struct nfs_context *me(int *err)
{
	struct fuse_context *c = fuse_get_context();
	gid_t all[64], groups[16];
	int n = fuse_getgroups(64, all), k = 0;
	struct session *s;
	for (int i = 0; i < n && i < 64 && k < 16; i++)
		if (all[i] != c->gid) groups[k++] = all[i];
	for (s = sessions; s; s = s->next)
		if (s->uid == c->uid && s->gid == c->gid && s->n == k &&
		    !memcmp(s->groups, groups, k * sizeof *groups))
			return s->nfs;
	struct nfs_context *nfs;
	while (!(nfs = connect_as(c->uid, c->gid, k, groups, NULL, err))) {
		if (soft || *err == -EACCES || *err == -ENOENT || dying()) { if (late(*err)) *err = -EIO; return NULL; }
		sleep(1);
	}
	s = calloc(1, sizeof *s);
	s->uid = c->uid; s->gid = c->gid; s->n = k; s->nfs = nfs;
	memcpy(s->groups, groups, k * sizeof *groups);
	s->next = sessions; sessions = s;
	return nfs;
}
#define ME int e_ = -EIO; struct nfs_context *nfs = me(&e_); if (!nfs) return e_
#define H(fi) ((struct handle *)(uintptr_t)(fi)->fh)

static void copy(struct stat *st, const struct nfs_stat_64 *n)
{
	memset(st, 0, sizeof *st);
	st->st_ino = n->nfs_ino; st->st_mode = n->nfs_mode; st->st_nlink = n->nfs_nlink;
	st->st_uid = n->nfs_uid; st->st_gid = n->nfs_gid; st->st_rdev = n->nfs_rdev;
	st->st_size = n->nfs_size; st->st_blksize = n->nfs_blksize; st->st_blocks = (n->nfs_used + 511) / 512;
	st->st_atim = (struct timespec){ n->nfs_atime, n->nfs_atime_nsec };
	st->st_mtim = (struct timespec){ n->nfs_mtime, n->nfs_mtime_nsec };
	st->st_ctim = (struct timespec){ n->nfs_ctime, n->nfs_ctime_nsec };
}

static int x_getattr(const char *p, struct stat *st, struct fuse_file_info *fi)
{
	struct nfs_stat_64 n;
	int r;
	if (fi) r = CALL(nfs_fstat64(H(fi)->nfs, H(fi)->fh, &n));
	else { ME; r = CALL(nfs_lstat64(nfs, p, &n)); }
	if (!r) copy(st, &n);
	return r;
}
static int x_access(const char *p, int mode) { ME; return CALL(nfs_access(nfs, p, mode)); }
static int x_opendir(const char *p, struct fuse_file_info *fi) { ME; return CALL(nfs_access(nfs, p, R_OK)); }
static int x_readlink(const char *p, char *b, size_t z) { ME; int r = CALL(nfs_readlink(nfs, p, b, z)); return r > 0 ? 0 : r; }
static int x_mknod(const char *p, mode_t m, dev_t d) { ME; return CALL(nfs_mknod(nfs, p, m, d)); }
static int x_mkdir(const char *p, mode_t m) { ME; return CALL(nfs_mkdir2(nfs, p, m)); }
static struct nfs_context *released;      /* RELEASE comes as uid 0: remove with the opener's credential */
static int x_unlink(const char *p)
{
	ME;
	if (released && strstr(p, "/.fuse_hidden")) nfs = released;
	return CALL(nfs_unlink(nfs, p));
}
static int x_rmdir(const char *p) { ME; return CALL(nfs_rmdir(nfs, p)); }
static int x_symlink(const char *t, const char *p) { ME; return CALL(nfs_symlink(nfs, t, p)); }
static int x_link(const char *a, const char *b) { ME; return CALL(nfs_link(nfs, a, b)); }
static int x_rename(const char *a, const char *b, unsigned f) { if (f) return -EINVAL; ME; return CALL(nfs_rename(nfs, a, b)); }
static int x_chmod(const char *p, mode_t m, struct fuse_file_info *fi) { ME; return CALL(nfs_chmod(nfs, p, m & 07777)); }
static int x_chown(const char *p, uid_t u, gid_t g, struct fuse_file_info *fi) { ME; return CALL(nfs_lchown(nfs, p, u, g)); }
static int x_truncate(const char *p, off_t o, struct fuse_file_info *fi)
{
	if (fi) return CALL(nfs_ftruncate(H(fi)->nfs, H(fi)->fh, o));
	ME; return CALL(nfs_truncate(nfs, p, o));
}
static int x_utimens(const char *p, const struct timespec t[2], struct fuse_file_info *fi)
{
	ME;
	struct timeval v[2];
	struct nfs_stat_64 n;
	int r = CALL(nfs_lstat64(nfs, p, &n));
	if (r) return r;
	for (int i = 0; i < 2; i++)
		if (t[i].tv_nsec == UTIME_NOW) gettimeofday(&v[i], NULL);
		else if (t[i].tv_nsec == UTIME_OMIT)
			v[i] = i ? (struct timeval){ n.nfs_mtime, n.nfs_mtime_nsec / 1000 }
				 : (struct timeval){ n.nfs_atime, n.nfs_atime_nsec / 1000 };
		else v[i] = (struct timeval){ t[i].tv_sec, t[i].tv_nsec / 1000 };
	return CALL(nfs_lutimes(nfs, p, v));
}
static int keep(struct nfs_context *nfs, struct nfsfh *fh, struct fuse_file_info *fi)
{
	struct handle *h = malloc(sizeof *h);
	h->nfs = nfs; h->fh = fh; fi->fh = (uintptr_t)h;
	return 0;
}
static int x_open(const char *p, struct fuse_file_info *fi)
{
	ME;
	struct nfsfh *fh;
	int r = CALL(nfs_open(nfs, p, fi->flags & (O_ACCMODE | O_TRUNC), &fh));
	return r ? r : keep(nfs, fh, fi);
}
static int x_create(const char *p, mode_t m, struct fuse_file_info *fi)
{
	ME;
	struct nfsfh *fh;
	int r = CALL(nfs_create(nfs, p, fi->flags & (O_ACCMODE | O_TRUNC | O_EXCL), m & 07777, &fh));
	return r ? r : keep(nfs, fh, fi);
}
static int x_read(const char *p, char *b, size_t z, off_t o, struct fuse_file_info *fi)
{
	size_t got = 0;
	while (got < z) {
		int r = CALL(nfs_pread(H(fi)->nfs, H(fi)->fh, o + got, z - got, b + got));
		if (r < 0) return r;
		if (!r) break;
		got += r;
	}
	return got;
}
/* libnfs 4.0 says EFAULT for every WRITE that failed: then a small one by itself tells why */
struct nfs_fh { int len; char *val; };   /* as in libnfs' own header */
struct answer { int done, result; };
static void answered(struct rpc_context *rpc, int status, void *data, void *private)
{
	struct answer *a = private;
	WRITE3res *res = data;
	a->done = 1;
	if (status != RPC_STATUS_SUCCESS) a->result = -EINTR;
	else if (res->status != NFS3_OK) a->result = nfsstat3_to_errno(res->status);
	else a->result = res->WRITE3res_u.resok.count;
}
static int write_or_why(struct handle *h, off_t o, size_t z, const char *b)
{
	struct rpc_context *rpc = nfs_get_rpc_context(h->nfs);
	struct nfs_fh *fh;
	struct answer a = { 0 };
	int r = nfs_pwrite(h->nfs, h->fh, o, z, (void *)b);
	if (r != -EFAULT) return r;
	fh = nfs_get_fh(h->fh);
	if (z > 4096) z = 4096;
	WRITE3args args = { .file.data = { .data_len = fh->len, .data_val = fh->val }, .offset = o, .count = z,
			    .stable = FILE_SYNC, .data = { .data_len = z, .data_val = (char *)b } };
	if (rpc_nfs3_write_async(rpc, answered, &args, &a)) return -EIO;
	while (!a.done) {
		struct pollfd p = { .fd = rpc_get_fd(rpc), .events = rpc_which_events(rpc) };
		if (poll(&p, 1, 100) < 0 || rpc_service(rpc, p.revents) < 0) return -EIO;
	}
	return a.result;
}
static int x_write(const char *p, const char *b, size_t z, off_t o, struct fuse_file_info *fi)
{
	size_t put = 0;
	while (put < z) {
		int r = CALL(write_or_why(H(fi), o + put, z - put, b + put));
		if (r < 0) return r;
		put += r;
	}
	return put;
}
static int x_fsync(const char *p, int d, struct fuse_file_info *fi) { return CALL(nfs_fsync(H(fi)->nfs, H(fi)->fh)); }
static int x_release(const char *p, struct fuse_file_info *fi)
{
	released = H(fi)->nfs;
	nfs_close(released, H(fi)->fh);
	free(H(fi));
	return 0;
}
static int x_readdir(const char *p, void *b, fuse_fill_dir_t fill, off_t o, struct fuse_file_info *fi, enum fuse_readdir_flags fl)
{
	ME;
	struct nfsdir *d;
	struct nfsdirent *e;
	int r = CALL(nfs_opendir(nfs, p, &d));
	if (r) return r;
	while ((e = nfs_readdir(nfs, d))) {
		struct stat st = { .st_ino = e->inode, .st_mode = e->mode };
		if (fill(b, e->name, &st, 0, 0)) break;
	}
	nfs_closedir(nfs, d);
	return 0;
}
static int x_statfs(const char *p, struct statvfs *s) { ME; return CALL(nfs_statvfs(nfs, p, s)); }
static void *x_init(struct fuse_conn_info *c, struct fuse_config *cfg)
{
	cfg->use_ino = 1;
	cfg->entry_timeout = cfg->attr_timeout = cfg->negative_timeout = 0;
	return NULL;
}
static const struct fuse_operations ops = {
	.init = x_init, .getattr = x_getattr, .access = x_access, .readlink = x_readlink,
	.mknod = x_mknod, .mkdir = x_mkdir, .unlink = x_unlink, .rmdir = x_rmdir,
	.symlink = x_symlink, .link = x_link, .rename = x_rename, .chmod = x_chmod,
	.chown = x_chown, .truncate = x_truncate, .utimens = x_utimens, .open = x_open,
	.create = x_create, .read = x_read, .write = x_write, .fsync = x_fsync,
	.release = x_release, .opendir = x_opendir, .readdir = x_readdir, .statfs = x_statfs,
};

int main(int argc, char **argv)         /* mount.nfs server:/path dir [-sfnvh] [-o options] */
{
	char *pos[2] = { 0 }, *o = NULL, *ro = "", why[512] = "", fo[1024];
	int np = 0, foreground = 0, err, retry = 120;
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "-o") && i + 1 < argc) o = argv[++i];
		else if (!strcmp(argv[i], "--foreground")) foreground = 1;
		else if (argv[i][0] != '-' && np < 2) pos[np++] = argv[i];
	char *sep = pos[0] ? strstr(pos[0], ":/") : NULL;
	if (np != 2 || !sep) { fprintf(stderr, "usage: mount.nfs server:/path dir [-o options]\n"); return 1; }
	char *spec = strdup(pos[0]);
	server = strndup(pos[0], sep - pos[0]); export = sep + 1;
	for (char *t = o ? strtok(o, ",") : NULL; t; t = strtok(NULL, ",")) {
		if (!strcmp(t, "ro")) ro = ",ro";
		else if (!strcmp(t, "soft")) soft = 1;
		else if (!strncmp(t, "timeo=", 6)) timeo = atoi(t + 6);
		else if (!strncmp(t, "retrans=", 8)) retrans = atoi(t + 8);
		else if (!strncmp(t, "retry=", 6)) retry = atoi(t + 6) * 60;
		else if (!strncmp(t, "port=", 5)) port = atoi(t + 5);
		else if (!strncmp(t, "mountport=", 10)) mountport = atoi(t + 10);
		else if (!strncmp(t, "sec=", 4) && strcmp(t, "sec=sys")) {
			fprintf(stderr, "mount.nfs: an incorrect mount option was specified\n"); return 32;
		}
	}
	int hard = !soft; soft = 1;     /* the first contact must come to an end */
	time_t until = time(NULL) + retry;
	struct nfs_context *nfs;
	while (!(nfs = connect_as(0, 0, 0, NULL, why, &err))) {
		if (err == -EACCES && missing()) err = -ENOENT;
		if (err == -ENOENT || err == -ENOTDIR)
			fprintf(stderr, "mount.nfs: mounting %s failed, reason given by server: %s\n", spec, strerror(-err));
		else if (err == -EACCES || err == -EPERM)
			fprintf(stderr, "mount.nfs: access denied by server while mounting %s\n", spec);
		else if (time(NULL) >= until)
			fprintf(stderr, "mount.nfs: mounting %s failed: %s (%s)\n", spec, strerror(-err), why);
		else { sleep(2); continue; }
		return 32;
	}
	nfs_destroy_context(nfs);
	soft = !hard;
	snprintf(fo, sizeof fo, "allow_other,subtype=nfs,fsname=%s%s", spec, ro);
	char *fargs[] = { "mount.nfs", "-s", "-o", fo, pos[1], foreground ? "-f" : NULL, NULL };
	return fuse_main(foreground ? 6 : 5, fargs, &ops, NULL) ? 32 : 0;
}
