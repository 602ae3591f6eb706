package localcluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestUpToDate(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	check := func(when string, want bool) {
		t.Helper()
		if got := upToDate(dir, "this"); got != want {
			t.Errorf("%s: upToDate is %t", when, got)
		}
	}
	check("empty", false)
	write("etcd", "")
	check("kube-apiserver absent", false)
	write("kube-apiserver", "")
	check("kube-controller-manager absent", false)
	write("kube-controller-manager", "")
	check("put there by someone", true)
	write(stampFile, "that")
	check("built from something else", false)
	write(stampFile, "this")
	check("built from this", true)
}

func TestBinariesOutsideTheRepository(t *testing.T) {
	t.Chdir(t.TempDir())
	dir := t.TempDir()
	_, err := EnsureBinaries(t.Context(), dir, func(string) {})
	if err == nil || !strings.Contains(err.Error(), "etcd and kube-apiserver and kube-controller-manager not found in "+dir) || !strings.Contains(err.Error(), BinariesEnv) {
		t.Errorf("got error %v", err)
	}
}

func TestLockWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	quiet := func(string) {}
	unlock, err := lock(t.Context(), path, quiet)
	if err != nil {
		t.Fatal(err)
	}
	waits := make(chan string, 1)
	got := make(chan error)
	go func() {
		unlock, err := lock(t.Context(), path, func(s string) { waits <- s })
		if err == nil {
			unlock()
		}
		got <- err
	}()
	<-waits
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := lock(short, path, quiet); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("locking what is locked: got error %v", err)
	}
	unlock()
	if err := <-got; err != nil {
		t.Errorf("locking what was unlocked: %v", err)
	}
}
