//go:build unix && !linux

package localcluster

import "syscall"

// diesWithParent puts a child in its own process group, so that Ctrl-C reaches
// only us and we end it in order. Only Linux can also kill it when we die
// without having had the chance to.
func diesWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
