package localcluster

import (
	"context"
	"fmt"
	"slices"
	"syscall"
)

// apiserverName is the name of kube-apiserver's process, and of its log.
const apiserverName = "kube-apiserver"

// KillAPIServer ends the API server with SIGKILL, as when its machine fails. What it has
// answered is in etcd; what it was doing may be.
func (c *Cluster) KillAPIServer() {
	if p := c.apiserver(); p != nil {
		p.kill()
	}
}

// RestartAPIServer starts the API server again after KillAPIServer, on the same port, and
// returns once it is ready.
func (c *Cluster) RestartAPIServer(ctx context.Context) error {
	old := c.apiserver()
	if old == nil {
		return fmt.Errorf("restarting %s: it was never started", apiserverName)
	}
	p, err := c.spawner.start(apiserverName, c.dir, old.cmd.Path, old.cmd.Args[1:]...)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.running[slices.Index(c.running, old)] = p
	c.mu.Unlock()
	return waitForAPIServer(ctx, c.client, p)
}

func (c *Cluster) apiserver() *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range slices.Backward(c.running) {
		if p.name == apiserverName {
			return p
		}
	}
	return nil
}

// Pause stops the program where it is, with SIGSTOP, as a machine that hangs does. Its
// connections stay open.
func (p *Program) Pause() error { return p.signal(syscall.SIGSTOP) }

// Resume lets a paused program go on.
func (p *Program) Resume() error { return p.signal(syscall.SIGCONT) }

func (p *Program) signal(s syscall.Signal) error {
	if err := p.process.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("sending %s to %q: %w", s, p.process.name, err)
	}
	return nil
}
