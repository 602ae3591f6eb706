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
func (c *Cluster) KillAPIServer() { c.killProcess(apiserverName) }

// RestartAPIServer starts the API server again after KillAPIServer, on the same port, and
// returns once it is ready.
func (c *Cluster) RestartAPIServer(ctx context.Context) error {
	p, err := c.restartProcess(apiserverName)
	if err != nil {
		return err
	}
	return waitForAPIServer(ctx, c.client, p)
}

// KillControllers ends kube-controller-manager with SIGKILL.
func (c *Cluster) KillControllers() { c.killProcess(controllerManager) }

// RestartControllers starts kube-controller-manager again after KillControllers. It works
// some seconds later.
func (c *Cluster) RestartControllers() error {
	_, err := c.restartProcess(controllerManager)
	return err
}

// ControllersExited says how kube-controller-manager ended, if it has ended.
func (c *Cluster) ControllersExited() error {
	p := c.process(controllerManager)
	if p == nil {
		return fmt.Errorf("%s was never started", controllerManager)
	}
	select {
	case <-p.exited:
		return p.failure()
	default:
		return nil
	}
}

func (c *Cluster) killProcess(name string) {
	if p := c.process(name); p != nil {
		p.kill()
	}
}

// restartProcess starts a process of the control plane again that was killed, as it was.
func (c *Cluster) restartProcess(name string) (*process, error) {
	old := c.process(name)
	if old == nil {
		return nil, fmt.Errorf("restarting %s: it was never started", name)
	}
	p, err := c.spawner.start(name, c.dir, old.cmd.Path, old.cmd.Args[1:]...)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running[slices.Index(c.running, old)] = p
	return p, nil
}

// process returns the last process of that name that was started; nil if there is none.
func (c *Cluster) process(name string) *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range slices.Backward(c.running) {
		if p.name == name {
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
