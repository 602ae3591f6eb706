package localcluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// A process is a child that runs until it is killed.
type process struct {
	name    string // as the user knows it: "etcd"
	logPath string // its stdout and stderr
	cmd     *exec.Cmd
	exited  chan struct{} // closed once it has been waited for
	state   string        // how it ended; valid once exited is closed
}

// A spawner starts processes from one operating system thread that lives as
// long as it does. On Linux a child is told to die with its parent
// (PR_SET_PDEATHSIG), but the parent in that sense is the thread that forked
// it, and the Go runtime may end a thread whenever it likes.
type spawner struct {
	requests chan func()
}

// newSpawner starts the spawner's thread, which close ends. Children that are
// alive at that moment are killed by it on Linux.
func newSpawner() *spawner {
	s := &spawner{requests: make(chan func())}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for f := range s.requests {
			f()
		}
	}()
	return s
}

func (s *spawner) close() { close(s.requests) }

// start runs binary with args in dir, its output going to dir/name.log and its id to
// dir/name.pid.
func (s *spawner) start(name, dir, binary string, args ...string) (*process, error) {
	p := &process{
		name:    name,
		logPath: filepath.Join(dir, name+".log"),
		cmd:     exec.Command(binary, args...),
		exited:  make(chan struct{}),
	}
	log, err := os.OpenFile(p.logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %q: %w", name, err)
	}
	defer log.Close() // the child has its own descriptor
	p.cmd.Dir = dir
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = diesWithParent()

	started := make(chan error)
	s.requests <- func() { started <- p.cmd.Start() }
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %q: %w", name, err)
	}
	go func() {
		err := p.cmd.Wait()
		p.state = "exit status 0"
		if err != nil {
			p.state = err.Error()
		}
		close(p.exited)
	}()
	// For whoever is to find the process from outside: see Running.
	if err := os.WriteFile(filepath.Join(dir, name+pidSuffix), []byte(strconv.Itoa(p.cmd.Process.Pid)), 0o644); err != nil {
		p.kill()
		return nil, fmt.Errorf("writing the process id of %q: %w", name, err)
	}
	return p, nil
}

// kill ends the process and all that it started, and waits until it is gone.
// Nothing here is worth a graceful end: etcd survives a crash, and the rest
// keeps its state in etcd.
func (p *process) kill() {
	select {
	case <-p.exited: // its id may belong to another process by now
	default:
		// The child leads its own process group, so its id is the group's.
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.exited
	}
}

// failure says how the process ended, with the end of its log. It does not say
// where the log is: by the time that is read, the state directory may be gone.
func (p *process) failure() error {
	return fmt.Errorf("%s ended (%s); its log ends with:\n%s", p.name, p.state, tail(p.logPath, 15))
}

// tail returns the last n lines of a file, or why it cannot be read.
func tail(path string, n int) string {
	const window = 64 << 10
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err.Error()
	}
	data := make([]byte, min(info.Size(), window))
	read, _ := f.ReadAt(data, info.Size()-int64(len(data)))
	lines := strings.Split(strings.TrimRight(string(data[:read]), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
