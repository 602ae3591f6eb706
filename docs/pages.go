package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Page is one page, in Markdown.
type Page struct {
	// Path is from the root of the repository.
	Path, Text string
}

// Block is a fenced block of a page.
type Block struct {
	// At is the page and line, for messages.
	At string
	// Language is what the fence names, such as sh or yaml; "" if nothing.
	Language, Text string
}

// Link is a link of a page to another place of the repository.
type Link struct {
	At string
	// Path is from the root of the repository, and Anchor a heading there; "" if none.
	Path, Anchor string
}

// Read returns README.md and all pages in docs, below the root of the repository.
func Read(root string) ([]Page, error) {
	paths, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		return nil, fmt.Errorf("looking for pages: %w", err)
	}
	var pages []Page
	for _, path := range append([]string{filepath.Join(root, "README.md")}, paths...) {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading a page: %w", err)
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return nil, fmt.Errorf("naming page %q: %w", path, err)
		}
		pages = append(pages, Page{filepath.ToSlash(name), string(text)})
	}
	return pages, nil
}

// lines calls visit for each line, with its number from 1 and the language of the block that it
// is in; fenced is false outside of blocks. Fences themselves are left out.
func (p Page) lines(visit func(number int, line string, fenced bool, language string)) {
	fence, language := "", ""
	for i, line := range strings.Split(p.Text, "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case fence == "" && strings.HasPrefix(trimmed, "```"):
			fence = "```"
			language = strings.TrimPrefix(trimmed, fence)
		case fence != "" && trimmed == fence:
			fence = ""
		default:
			visit(i+1, line, fence != "", language)
		}
	}
}

// Blocks returns the fenced blocks.
func (p Page) Blocks() []Block {
	var out []Block
	last := 0
	p.lines(func(number int, line string, fenced bool, language string) {
		switch {
		case !fenced:
			return
		case len(out) == 0 || number != last+1:
			out = append(out, Block{At: fmt.Sprintf("%s:%d", p.Path, number), Language: language})
		}
		out[len(out)-1].Text += line + "\n"
		last = number
	})
	return out
}

// Prose returns the lines outside of blocks, each with its place.
func (p Page) Prose() map[string]string {
	out := map[string]string{}
	p.lines(func(number int, line string, fenced bool, _ string) {
		if !fenced {
			out[fmt.Sprintf("%s:%d", p.Path, number)] = line
		}
	})
	return out
}

var (
	linkForm    = regexp.MustCompile(`\]\(([^()\s]+)\)|(?:src|srcset|href)="([^"]+)"`)
	headingForm = regexp.MustCompile(`^#{1,6} (.*)$`)
	idForm      = regexp.MustCompile(`<a id="([^"]+)">`)
)

// Links returns the links to files and headings of the repository. Those to the web are left out.
func (p Page) Links() []Link {
	var out []Link
	for at, line := range p.Prose() {
		for _, match := range linkForm.FindAllStringSubmatch(line, -1) {
			target := match[1] + match[2]
			if strings.Contains(target, "://") {
				continue
			}
			path, anchor, _ := strings.Cut(target, "#")
			if path == "" {
				path = p.Path
			} else {
				path = filepath.ToSlash(filepath.Join(filepath.Dir(p.Path), path))
			}
			out = append(out, Link{at, path, anchor})
		}
	}
	return out
}

// Anchors returns what links may name in the page: its headings as GitHub spells them, and ids.
func (p Page) Anchors() map[string]bool {
	out := map[string]bool{}
	for _, line := range p.Prose() {
		if match := headingForm.FindStringSubmatch(line); match != nil {
			out[anchor(match[1])] = true
		}
		for _, match := range idForm.FindAllStringSubmatch(line, -1) {
			out[match[1]] = true
		}
	}
	return out
}

// anchor is a heading as GitHub spells it in a link: lower case, spaces as hyphens, and of the
// rest only letters, digits, hyphens and underscores.
func anchor(heading string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(heading) {
		switch {
		case r == ' ':
			b.WriteRune('-')
		case r == '-' || r == '_' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		}
	}
	return b.String()
}
