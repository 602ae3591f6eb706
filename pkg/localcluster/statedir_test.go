package localcluster

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestStateDirThatIsGivenIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	dir, err := newStateDir(path)
	if err != nil {
		t.Fatal(err)
	}
	dir.close()
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestStateDirRefused(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		full: "is not empty",
		filepath.Join(t.TempDir(), strings.Repeat("x", maxSocketPath)): "too long",
	} {
		if _, err := newStateDir(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want one that says %q", err, want)
		}
	}
}

func TestAbandonedStateDirsAreRemoved(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	live, err := newStateDir("")
	if err != nil {
		t.Fatal(err)
	}
	abandoned, err := newStateDir("")
	if err != nil {
		t.Fatal(err)
	}
	abandoned.lock.Close() // as when its program is killed
	young, err := os.MkdirTemp("", temporaryPrefix)
	if err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-time.Hour)
	for _, d := range []*stateDir{live, abandoned} {
		if err := os.Chtimes(d.path, long, long); err != nil {
			t.Fatal(err)
		}
	}

	next, err := newStateDir("")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{live.path, young, next.path} {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("removed what is in use: %v", err)
		}
	}
	if _, err := os.Stat(abandoned.path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there (%v)", abandoned.path, err)
	}
	live.close()
	next.close()
	for _, path := range []string{live.path, next.path} {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there after it was closed (%v)", path, err)
		}
	}
}
