package operators

import (
	"os"
	"path/filepath"
	"testing"
)

// What an operator waits for is made for it and goes with it; what was there stays.
func TestMountedFilesGoWithTheOperator(t *testing.T) {
	made, there := filepath.Join(t.TempDir(), "certificates", "tls.crt"), filepath.Join(t.TempDir(), "tls.crt")
	if err := os.WriteFile(there, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &Running{operator: Operator{Mounted: []string{made, there}}}
	if err := r.mount(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(made); err != nil {
		t.Error(err)
	}
	if err := r.Remove(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(made); err == nil {
		t.Error("the file that was made is left")
	}
	if text, err := os.ReadFile(there); err != nil || string(text) != "x" {
		t.Errorf("the file that was there has %q: %v", text, err)
	}
}
