package webpage

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed assets
var assets embed.FS

// Asset returns a file of the page.
func Asset(name string) ([]byte, error) { return fs.ReadFile(assets, "assets/"+name) }

// Inline returns modules of the page as one script, for a page that is one file: in their
// order, without what they import from each other. Together they must not declare a name twice.
func Inline(modules ...string) (string, error) {
	var out strings.Builder
	for _, module := range modules {
		text, err := Asset(module)
		if err != nil {
			return "", err
		}
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, "import ") {
				continue
			}
			out.WriteString(strings.TrimPrefix(line, "export "))
		}
	}
	return out.String(), nil
}
