package localcluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// pidSuffix ends the names of the files that hold the ids of a cluster's processes.
const pidSuffix = ".pid"

// requestTimeout is how long the API of a cluster may take to answer, which may be stopped.
const requestTimeout = 20 * time.Second

// Running is a cluster that another program runs, as its state directory describes it.
type Running struct {
	dir string
}

// FindRunning finds the cluster that runs with a state directory, or, if dir is "", the only
// one that runs with a temporary one.
func FindRunning(dir string) (*Running, error) {
	const start = "start one in another terminal, as with: berth-local up --nodes 64"
	if dir != "" {
		path, err := filepath.Abs(dir)
		if err != nil {
			return nil, fmt.Errorf("finding state directory %q: %w", dir, err)
		}
		held, err := isHeld(path)
		switch {
		case errors.Is(err, os.ErrNotExist):
			return nil, fmt.Errorf("there is no state directory %q; %s --dir %s", dir, start, dir)
		case err != nil:
			return nil, fmt.Errorf("looking whether a cluster runs in %q: %w", dir, err)
		case !held:
			return nil, fmt.Errorf("no cluster runs in state directory %q; %s", dir, start)
		}
		return &Running{path}, nil
	}
	paths, _ := filepath.Glob(filepath.Join(os.TempDir(), temporaryPrefix+"*"))
	paths = slices.DeleteFunc(paths, func(path string) bool {
		held, err := isHeld(path)
		return err != nil || !held
	})
	switch len(paths) {
	case 0:
		return nil, fmt.Errorf("no cluster runs; %s, or name the state directory of one that was started with --dir", start)
	case 1:
		return &Running{paths[0]}, nil
	}
	return nil, fmt.Errorf("%d clusters run; name one with --dir: %s", len(paths), strings.Join(paths, ", "))
}

// isHeld reports whether a program holds the lock of a state directory.
func isHeld(path string) (bool, error) {
	lock, err := lockDir(path)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, lock.Close()
}

// Dir is the state directory.
func (r *Running) Dir() string { return r.dir }

// Client is a client that may do anything.
func (r *Running) Client() (kubernetes.Interface, error) {
	path := filepath.Join(r.dir, adminKubeconfigFile)
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("the cluster in %q is not ready yet; wait until berth-local up says so", r.dir)
		}
		return nil, fmt.Errorf("reading %q: %w", path, err)
	}
	config.QPS = -1 // no limit
	config.Timeout = requestTimeout
	client, err := kubernetes.NewForConfig(protobuf(config))
	if err != nil {
		return nil, fmt.Errorf("making a client of %q: %w", path, err)
	}
	return client, nil
}

// Process is the id of one of the cluster's processes, such as etcd, kube-apiserver or
// kube-controller-manager. A process of that id which is another program does not count.
func (r *Running) Process(name string) (pid int, err error) {
	path := filepath.Join(r.dir, name+pidSuffix)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, fmt.Errorf("no %s was started by the cluster in %q", name, r.dir)
	}
	if err != nil {
		return 0, fmt.Errorf("reading the process id of %s: %w", name, err)
	}
	pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid < 2 {
		return 0, fmt.Errorf("reading the process id of %s: %s holds %q", name, path, text)
	}
	binary, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil || filepath.Base(strings.TrimSuffix(binary, " (deleted)")) != name {
		return 0, fmt.Errorf("%s of the cluster in %q has ended; its log is %s", name, r.dir, filepath.Join(r.dir, name+".log"))
	}
	return pid, nil
}
