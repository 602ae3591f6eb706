package localcluster

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A Program is a process beside the control plane, such as a scheduler. It ends
// with the cluster, or earlier by Kill.
type Program struct {
	process *process
}

// StartProgram starts a binary that ends with the cluster, or with this program
// if that is killed. Its output goes to name.log in the state directory; a second
// program of one name appends to it.
func (c *Cluster) StartProgram(name, binary string, args ...string) (*Program, error) {
	p, err := c.spawner.start(name, c.dir, binary, args...)
	if err != nil {
		return nil, err
	}
	program := &Program{process: p}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.programs = append(c.programs, program)
	return program, nil
}

// Kill ends the program with SIGKILL and waits until it is gone.
func (p *Program) Kill() { p.process.kill() }

// Terminate ends the program with SIGTERM and waits until it is gone, or kills it
// when the context is done.
func (p *Program) Terminate(ctx context.Context) {
	select {
	case <-p.process.exited:
		return
	default:
		_ = p.process.cmd.Process.Signal(syscall.SIGTERM)
	}
	select {
	case <-p.process.exited:
	case <-ctx.Done():
		p.process.kill()
	}
}

// Exited is closed once the program has ended; Failure then says how.
func (p *Program) Exited() <-chan struct{} { return p.process.exited }

// Failure says how the program ended, with the end of its log.
func (p *Program) Failure() error { return p.process.failure() }

// LogPath is the file of the program's output.
func (p *Program) LogPath() string { return p.process.logPath }

// CPUTime is the processor time that the program has used until now, user and
// system, as Linux accounts for it in clock ticks of 10 ms.
func (p *Program) CPUTime() (time.Duration, error) {
	pid := p.process.cmd.Process.Pid
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("reading the processor time of %q: %w", p.process.name, err)
	}
	return parseCPUTime(string(stat))
}

// PeakMemory is the most memory that the program has had resident until now, in bytes.
func (p *Program) PeakMemory() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.process.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("reading the peak memory of %q: %w", p.process.name, err)
	}
	for line := range strings.Lines(string(status)) {
		if amount, found := strings.CutPrefix(line, "VmHWM:"); found {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(amount), "kB")), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("reading the peak memory of %q from %q: %w", p.process.name, line, err)
			}
			return kib << 10, nil
		}
	}
	return 0, fmt.Errorf("reading the peak memory of %q: the program has ended", p.process.name)
}

// clockTick is the unit of /proc/PID/stat on every platform that Linux runs Go on.
const clockTick = 10 * time.Millisecond

// parseCPUTime reads the fields utime and stime of /proc/PID/stat. The program's
// name, the second field, may itself hold spaces and parentheses.
func parseCPUTime(stat string) (time.Duration, error) {
	_, rest, found := cutLast(stat, ")")
	fields := strings.Fields(rest)
	if !found || len(fields) < 13 {
		return 0, fmt.Errorf("reading processor time from %q: too few fields", stat)
	}
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading processor time from %q: %w", stat, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
