package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/berth-dev/berth/pkg/core/topology"
)

// style says how a picture marks what matters: with colours, or with signs alone.
type style bool

const (
	plain    style = false
	coloured style = true
)

// look is how a word is shown, as the parameters of the escape sequence.
type look string

const (
	normal look = ""
	faint  look = "2"
	bold   look = "1"
	chosen look = "1;7"
	fast   look = "1;32" // NVLink
	near   look = "1;33" // PCIe
	slow   look = "1;31" // between sockets
)

// in shows a text in a look.
func (s style) in(l look, text string) string {
	if s == plain || l == normal || text == "" {
		return text
	}
	return "\x1b[" + string(l) + "m" + text + "\x1b[0m"
}

// picture prints an outcome as text.
type picture struct {
	out   strings.Builder
	style style
	machine
	query
	outcome
	// width is that of a column.
	width int
}

// writePicture prints the matrix with what was chosen in it, and what that is worth.
func writePicture(out io.Writer, s style, m machine, q query, o outcome) error {
	p := picture{style: s, machine: m, query: q, outcome: o}
	p.title()
	p.rows()
	p.legend()
	p.verdict()
	p.leftovers()
	p.foot()
	_, err := io.WriteString(out, p.out.String())
	return err
}

func (p *picture) title() {
	fmt.Fprintf(&p.out, "%s: %s, %d free; a pod of %d\n\n", p.style.in(bold, p.name), count(p.matrix.Devices, "device"), p.free.Len(), p.k)
}

// cell is a word of the matrix with a sign on either side.
type cell struct {
	left, word, right string
	look              look
}

// rows prints the matrix.
func (p *picture) rows() {
	m := &p.matrix
	for a := range m.Devices {
		p.width = max(p.width, len(p.label(a)))
		for b := range a {
			p.width = max(p.width, len(word(m.Links[a][b])))
		}
	}
	p.width += len(" []")
	numa, nic := false, false
	for d := range m.Devices {
		numa = numa || m.NUMA[d] != topology.UnknownNUMA
		nic = nic || m.NIC[d] != topology.UnknownPath
	}

	header := []cell{{word: ""}}
	for d := range m.Devices {
		c := cell{word: p.label(d), look: p.lookOf(d)}
		if p.set.Has(d) {
			c.right = p.sign("*")
		}
		header = append(header, c)
	}
	if numa {
		header = append(header, cell{word: "NUMA"})
	}
	if nic {
		header = append(header, cell{word: "NIC"})
	}
	p.line(header)
	for a := range m.Devices {
		label := cell{left: "  ", word: p.label(a), look: p.lookOf(a)}
		switch {
		case p.set.Has(a):
			label.left = p.sign("*") + " "
		case !p.free.Has(a):
			label.left = p.sign("-") + " "
		}
		row := []cell{label}
		for b := range m.Devices {
			row = append(row, p.pair(a, b))
		}
		if numa {
			text := "N/A"
			if m.NUMA[a] != topology.UnknownNUMA {
				text = strconv.Itoa(int(m.NUMA[a]))
			}
			row = append(row, cell{word: text, look: p.dim(a)})
		}
		if nic {
			row = append(row, cell{word: m.NIC[a].String(), look: p.dim(a)})
		}
		p.line(row)
	}
}

// line prints cells in columns. The first is the label of the row.
func (p *picture) line(cells []cell) {
	var line strings.Builder
	for i, c := range cells {
		width := p.width
		if i == 0 {
			width--
		}
		if c.right == "" {
			c.right = " "
		}
		// The left sign of a label stays at the margin.
		pad := strings.Repeat(" ", max(0, width-utf8.RuneCountInString(c.left+c.word+c.right)))
		if i == 0 {
			line.WriteString(c.left + p.style.in(c.look, c.word) + pad + c.right)
		} else {
			line.WriteString(pad + c.left + p.style.in(c.look, c.word) + c.right)
		}
	}
	p.out.WriteString(strings.TrimRight(line.String(), " ") + "\n")
}

// pair is how two devices are linked.
func (p *picture) pair(a, b int) cell {
	link := p.matrix.Links[a][b]
	switch {
	case a == b:
		return cell{word: "·", look: faint}
	case !p.free.Has(a) || !p.free.Has(b):
		if p.style == plain {
			return cell{word: "-"}
		}
		return cell{word: word(link), look: faint}
	case !p.set.Has(a) || !p.set.Has(b):
		return cell{word: word(link)}
	}
	c := cell{left: p.sign("["), word: word(link), right: p.sign("]"), look: near}
	switch {
	case link.NVLinks > 0:
		c.look = fast
	case link.Path <= topology.System:
		c.look = slow
	}
	return c
}

// sign is what marks a word where there are no colours.
func (p *picture) sign(text string) string {
	if p.style == plain {
		return text
	}
	return strings.Repeat(" ", len(text))
}

// label is what a device is called in the matrix.
func (p *picture) label(device int) string { return "GPU" + strconv.Itoa(p.numbers[device]) }

func (p *picture) lookOf(device int) look {
	if p.set.Has(device) {
		return chosen
	}
	return p.dim(device)
}

func (p *picture) dim(device int) look {
	if !p.free.Has(device) {
		return faint
	}
	return normal
}

// word says how two devices are linked, as nvidia-smi does.
func word(link topology.Link) string {
	if link.NVLinks > 0 {
		return "NV" + strconv.Itoa(int(link.NVLinks))
	}
	return link.Path.String()
}

// legend says what the signs of the matrix mean.
func (p *picture) legend() {
	var words []string
	if p.set != 0 {
		if p.style == plain {
			words = append(words, "* chosen")
		} else {
			words = append(words, p.style.in(chosen, "chosen"))
		}
	}
	if p.set.Len() > 1 {
		if p.style == plain {
			words = append(words, "[ ] link of two chosen")
		} else {
			words = append(words, "links of two chosen: "+p.style.in(fast, "NVLink")+" "+p.style.in(near, "PCIe")+" "+p.style.in(slow, "SYS"))
		}
	}
	if p.free != topology.All(p.matrix.Devices) {
		if p.style == plain {
			words = append(words, "- not free")
		} else {
			words = append(words, p.style.in(faint, "not free"))
		}
	}
	if len(words) > 0 {
		p.out.WriteString("\n" + strings.Join(words, "   ") + "\n")
	}
	p.out.WriteString("\n")
}

// The columns of what is below the matrix: where texts begin, and where they should end.
const (
	indent  = 10
	columns = 80
)

// entry prints one line below the matrix; the name is empty where it goes on.
func (p *picture) entry(name, text string) {
	fmt.Fprintf(&p.out, "%s%s%s\n", p.style.in(bold, name), strings.Repeat(" ", indent-len(name)), text)
}

// sentence prints an entry of as many lines as it takes.
func (p *picture) sentence(name, text string) {
	var line string
	for word := range strings.FieldsSeq(text) {
		if line != "" && indent+utf8.RuneCountInString(line+" "+word) > columns {
			p.entry(name, line)
			name, line = "", ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	p.entry(name, line)
}

// verdict says which set, how it is linked, and how good it is.
func (p *picture) verdict() {
	if p.set == 0 {
		p.sentence("no set", p.reason)
		if p.ideal > 0 {
			p.entry("ideal", fmt.Sprintf("%s GB/s, with the best %d of all devices", gigabytes(p.ideal), p.k))
		}
		return
	}
	p.entry("best", p.style.in(bold, list(p.named(p.set))))
	if p.picker == topology.DevicePlugin && p.set.Len() < p.free.Len() {
		p.sentence("", "as the device plugin picks: if it may pick any of several sets, this is the first, and the quality is their mean")
	}
	if p.k == 1 {
		p.entry("quality", "one device needs no link")
		return
	}
	p.entry("links", p.linksText())
	p.entry("quality", fmt.Sprintf("%s %s  %s GB/s of ideally %s", bar(p.ratio), percent(p.ratio), gigabytes(p.quality), gigabytes(p.ideal)))
}

// linksText counts the pairs of the set by how they are linked, the best first.
func (p *picture) linksText() string {
	type pairs struct {
		link topology.Link
		n    int
	}
	var counts []pairs
	for a := range p.set.Each() {
		for b := range p.set.Each() {
			if b >= a {
				break
			}
			link := p.matrix.Links[a][b]
			i := slices.IndexFunc(counts, func(c pairs) bool { return word(c.link) == word(link) && c.link.Switched == link.Switched })
			if i < 0 {
				i = len(counts)
				counts = append(counts, pairs{link: link})
			}
			counts[i].n++
		}
	}
	slices.SortFunc(counts, func(a, b pairs) int {
		return cmp.Or(cmp.Compare(b.link.NVLinks, a.link.NVLinks), cmp.Compare(b.link.Path, a.link.Path))
	})
	words := make([]string, len(counts))
	for i, c := range counts {
		words[i] = fmt.Sprintf("%d x %s", c.n, word(c.link))
		if c.link.Switched {
			words[i] += " at a switch"
		}
	}
	return strings.Join(words, ", ")
}

// leftovers says what is left for pods to come.
func (p *picture) leftovers() {
	switch {
	case p.set == 0:
		return
	case p.rest == 0:
		p.entry("left", "nothing")
		return
	}
	p.entry("left", list(p.named(p.rest)))
	for _, one := range p.left {
		if one.size > p.rest.Len() {
			p.entry("", fmt.Sprintf("%s    -    too few for %d", bar(0), one.size))
			continue
		}
		p.entry("", fmt.Sprintf("%s %s  for %d", bar(one.ratio), percent(one.ratio), one.size))
	}
}

// foot says what the figures rest on.
func (p *picture) foot() {
	p.sentence("rates", ratesText(p.matrix.Rates)+", "+p.ratesFrom)
	for i, remark := range p.remarks {
		name := ""
		if i == 0 {
			name = "devices"
		}
		p.sentence(name, remark)
	}
}

// barWidth is how many characters a bar has.
const barWidth = 20

// bar shows a ratio of 0 to 1. It is full or empty only if the ratio is.
func bar(ratio float64) string {
	full := int(ratio*barWidth + 0.5)
	switch {
	case ratio > 0 && full == 0:
		full = 1
	case ratio < 1 && full == barWidth:
		full = barWidth - 1
	}
	return strings.Repeat("█", full) + strings.Repeat("░", barWidth-full)
}

// percent shows a ratio of 0 to 1 in six characters.
func percent(ratio float64) string {
	return fmt.Sprintf("%4s %%", strconv.FormatFloat(100*rounded(ratio), 'g', 3, 64))
}

// count says how many there are of something.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
