package localcluster

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// temporaryPrefix begins the names of temporary state directories.
const temporaryPrefix = "berth-local-"

// A stateDir holds etcd's data, certificates, kubeconfigs and logs.
type stateDir struct {
	path      string
	temporary bool
	// lock is the directory, opened and locked for as long as we live. A
	// temporary directory that nobody has locked was left by a program that
	// was killed.
	lock *os.File
}

// newStateDir makes a temporary state directory if path is "", and else checks
// that the one given is usable.
func newStateDir(path string) (*stateDir, error) {
	temporary := path == ""
	var err error
	if temporary {
		removeAbandoned()
		if path, err = os.MkdirTemp("", temporaryPrefix); err != nil {
			return nil, fmt.Errorf("making a state directory: %w", err)
		}
	} else if path, err = usable(path); err != nil {
		return nil, err
	}
	lock, err := lockDir(path)
	if err != nil {
		return nil, fmt.Errorf("locking state directory %q: %w", path, err)
	}
	return &stateDir{path, temporary, lock}, nil
}

// close gives the directory up, and removes it if it is a temporary one.
func (d *stateDir) close() {
	if d.temporary {
		_ = os.RemoveAll(d.path)
	}
	d.lock.Close()
}

// usable makes the directory if need be and returns its absolute path.
func usable(given string) (string, error) {
	path, err := filepath.Abs(given)
	if err != nil {
		return "", fmt.Errorf("finding state directory %q: %w", given, err)
	}
	if len(filepath.Join(path, etcdSocket)) > maxSocketPath {
		return "", fmt.Errorf("the path of state directory %q is too long: the path of a socket in it may have at most %d bytes", path, maxSocketPath)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return "", fmt.Errorf("making state directory %q: %w", path, err)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return "", fmt.Errorf("reading state directory %q: %w", path, err)
	}
	if len(entries) > 0 {
		return "", fmt.Errorf("state directory %q is not empty", path)
	}
	return path, nil
}

// removeAbandoned removes what clusters that were killed left behind. It is
// not worth an error.
func removeAbandoned() {
	// Between the making of a directory and its locking, it looks abandoned.
	const settled = time.Minute
	paths, _ := filepath.Glob(filepath.Join(os.TempDir(), temporaryPrefix+"*"))
	for _, path := range paths {
		info, err := os.Lstat(path)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < settled {
			continue
		}
		if lock, err := lockDir(path); err == nil {
			_ = os.RemoveAll(path)
			lock.Close()
		}
	}
}

// lockDir opens and locks a directory, or fails at once if someone else has.
func lockDir(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
