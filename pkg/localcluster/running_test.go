package localcluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestFindRunning(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	find := func(dir string) (string, string) {
		r, err := FindRunning(dir)
		if err != nil {
			return "", err.Error()
		}
		return r.Dir(), ""
	}
	expect := func(dir, want, wrong string) {
		t.Helper()
		if got, err := find(dir); got != want || (err == "") != (wrong == "") || !strings.Contains(err, wrong) {
			t.Errorf("with --dir %q: got %q, %q, want %q, %q", dir, got, err, want, wrong)
		}
	}
	expect("", "", "no cluster runs; start one in another terminal")
	// A directory that a cluster left behind, and one that never was.
	left := filepath.Join(temp, temporaryPrefix+"left")
	if err := os.Mkdir(left, 0o755); err != nil {
		t.Fatal(err)
	}
	expect("", "", "no cluster runs")
	expect(left, "", "no cluster runs in state directory")
	expect(left+"2", "", "there is no state directory")

	one, err := newStateDir("")
	if err != nil {
		t.Fatal(err)
	}
	defer one.close()
	expect("", one.path, "")
	expect(one.path, one.path, "")
	r, err := FindRunning("")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Client(); err == nil || !strings.Contains(err.Error(), "is not ready yet") {
		t.Errorf("a cluster that starts: %v", err)
	}
	two, err := newStateDir("")
	if err != nil {
		t.Fatal(err)
	}
	defer two.close()
	expect("", "", "2 clusters run; name one with --dir: ")
	expect(two.path, two.path, "")
}

// The process of an id counts only if it is the program that was started.
func TestProcess(t *testing.T) {
	r := &Running{t.TempDir()}
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip("there is no sleep")
	}
	// Under a name of its own: some systems have one binary for all of their tools.
	text, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "sleep")
	if err := os.WriteFile(binary, text, 0o755); err != nil {
		t.Fatal(err)
	}
	s := newSpawner()
	defer s.close()
	p, err := s.start("sleep", r.dir, binary, "60")
	if err != nil {
		t.Fatal(err)
	}
	if pid, err := r.Process("sleep"); err != nil || pid != p.cmd.Process.Pid {
		t.Errorf("got process %d, %v, want %d", pid, err, p.cmd.Process.Pid)
	}
	if err := os.WriteFile(filepath.Join(r.dir, "etcd"+pidSuffix), []byte(fmt.Sprint(p.cmd.Process.Pid)), 0o644); err != nil {
		t.Fatal(err)
	}
	p.kill()
	for name, want := range map[string]string{"sleep": "has ended", "etcd": "has ended", "kube-apiserver": "no kube-apiserver was started"} {
		if pid, err := r.Process(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got process %d, %v, want an error that says %q", name, pid, err, want)
		}
	}
}
