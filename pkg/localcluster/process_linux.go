package localcluster

import "syscall"

// diesWithParent puts a child in its own process group, so that Ctrl-C reaches
// only us and we end it in order, and has the kernel kill it when we die.
func diesWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
