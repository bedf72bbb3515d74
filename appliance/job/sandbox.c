/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/job/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define SANDBOX_ARCH	AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define SANDBOX_ARCH	AUDIT_ARCH_AARCH64
#else
#error "name this machine's AUDIT_ARCH_"
#endif

/* the leak checker clones its own process and looks at it with ptrace */
#ifdef __SANITIZE_ADDRESS__
#define SANDBOX_PTRACE	0xffffffff
#define SANDBOX_FORKS	1
#else
#define SANDBOX_PTRACE	SYS_ptrace
#define SANDBOX_FORKS	0
#endif

#define ALLOW		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define REFUSE(err)	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (err))
#define LOAD(member)							\
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS,				\
	    offsetof(struct seccomp_data, member))
/* if the loaded word equals k, refuse */
#define NOT(k)								\
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(k), 0, 1),	\
	REFUSE(EPERM)

/* sandbox_filter - add a filter for this thread and all it starts */
static int
sandbox_filter(struct sock_filter *f, size_t n, struct err *e)
{
	struct sock_fprog prog = { .len = (unsigned short)n, .filter = f };

	if (n > 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == -1 &&
	    errno != EINVAL)
		return err_errno(e, "cannot install the seccomp filter");
	return 0;
}

int
sandbox_first(bool sockets, struct err *e)
{
	struct sock_filter f[] = {
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SANDBOX_ARCH, 1, 0),
		REFUSE(ENOSYS),
		LOAD(nr),
#ifdef __x86_64__
		/* the x32 numbers would walk around all that follows */
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),
		REFUSE(ENOSYS),
#endif
		NOT(SANDBOX_PTRACE), NOT(SYS_process_vm_readv),
		NOT(SYS_process_vm_writev), NOT(SYS_bpf),
		NOT(SYS_perf_event_open), NOT(SYS_userfaultfd),
		NOT(SYS_io_uring_setup), NOT(SYS_keyctl), NOT(SYS_add_key),
		NOT(SYS_request_key), NOT(SYS_mount), NOT(SYS_umount2),
		NOT(SYS_unshare), NOT(SYS_setns), NOT(SYS_chroot),
		NOT(SYS_pivot_root), NOT(SYS_kexec_load),
		NOT(SYS_init_module), NOT(SYS_finit_module),
		NOT(SYS_open_by_handle_at), NOT(SYS_personality),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, sockets ? SECCOMP_RET_ALLOW :
		    SECCOMP_RET_ERRNO | EACCES),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_connect, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, sockets ? SECCOMP_RET_ALLOW :
		    SECCOMP_RET_ERRNO | EACCES),
		ALLOW,
	};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return err_errno(e, "cannot give up privileges");
	return sandbox_filter(f, BASE_COUNT(f), e);
}

/*
 * sandbox_no_fork - threads may still start: clone3, whose flags a filter
 * cannot read, is said not to exist, and libc then uses clone
 */
static int
sandbox_no_fork(struct err *e)
{
	struct sock_filter f[] = {
		LOAD(nr),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
		REFUSE(ENOSYS),
#ifdef SYS_fork
		NOT(SYS_fork), NOT(SYS_vfork),
#endif
		NOT(SYS_execve), NOT(SYS_execveat), NOT(SYS_setsid),
		NOT(SYS_setpgid),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 1, 0),
		ALLOW,
		LOAD(args[0]),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 1, 0),
		REFUSE(EPERM),
		ALLOW,
	};

	return sandbox_filter(f, SANDBOX_FORKS ? 0 : BASE_COUNT(f), e);
}

#define READS	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITES	(LANDLOCK_ACCESS_FS_WRITE_FILE |			\
	LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
	LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |	\
	LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER)
#define FILES	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_EXECUTE | \
	LANDLOCK_ACCESS_FS_WRITE_FILE)
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER	(1ULL << 13)
#endif

int
sandbox_open(struct sandbox *s, struct err *e)
{
	static const struct {
		const char *path;
		bool exec;
	} ours[] = {
		{ "/lib", true }, { "/lib64", true }, { "/usr/lib", true },
		{ "/usr/lib64", true }, { "/usr/local/lib", true },
		{ "/etc/ld.so.cache", false }, { "/etc/ld.so.conf", false },
		{ "/etc/localtime", false }, { "/usr/share/zoneinfo", false },
		{ "/proc", false }, { "/sys", false },
		{ "/dev/null", false }, { "/dev/urandom", false },
	};
	struct landlock_ruleset_attr attr;
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);

	s->ruleset = -1;
	if (abi < 1)
		return 0;
	s->handled = READS | WRITES | LANDLOCK_ACCESS_FS_EXECUTE |
	    LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_SOCK |
	    LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK;
	if (abi < 2)
		s->handled &= ~(uint64_t)LANDLOCK_ACCESS_FS_REFER;
	attr = (struct landlock_ruleset_attr){ .handled_access_fs =
	    s->handled };
	s->ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr,
	    sizeof(attr), 0);
	if (s->ruleset == -1)
		return errno == EOPNOTSUPP || errno == ENOSYS ? 0 :
		    err_errno(e, "cannot make a Landlock ruleset");
	for (size_t i = 0; i < BASE_COUNT(ours); i++) {
		struct err absent;

		(void)sandbox_allow(s, ours[i].path, SANDBOX_READ |
		    (ours[i].exec ? SANDBOX_EXEC : 0), &absent);
	}
	return 0;
}

int
sandbox_allow(struct sandbox *s, const char *path, int how, struct err *e)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = READS };
	struct stat st;
	int fd, rc = 0;

	if (s->ruleset == -1)
		return 0;
	if (how & SANDBOX_WRITE)
		rule.allowed_access |= WRITES;
	if (how & SANDBOX_EXEC)
		rule.allowed_access |= LANDLOCK_ACCESS_FS_EXECUTE;
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd == -1)
		return err_errno(e, "cannot open '%s'", path);
	if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= FILES;
	rule.allowed_access &= s->handled;
	rule.parent_fd = fd;
	if (syscall(SYS_landlock_add_rule, s->ruleset,
	    LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == -1)
		rc = err_errno(e, "cannot allow '%s'", path);
	close(fd);
	return rc;
}

int
sandbox_last(struct sandbox *s, struct err *e)
{
	if (s->ruleset != -1) {
		if (syscall(SYS_landlock_restrict_self, s->ruleset, 0) == -1)
			return err_errno(e, "cannot enter the sandbox");
		close(s->ruleset);
	}
	return sandbox_no_fork(e);
}
