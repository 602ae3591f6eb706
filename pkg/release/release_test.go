package release

import "testing"

func TestVersion(t *testing.T) {
	for _, c := range []struct{ version, commit, want string }{
		{"", "", "in development"},
		{"v1.2.3", "", "v1.2.3"},
		{"v1.2.3", "0123abc", "v1.2.3 (commit 0123abc)"},
	} {
		version, commit = c.version, c.commit
		if got := Version(); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
