package topology

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// mostNVLinks is the most NVLinks that a device has whose peers are linked to it
// directly. One that seems to have more has them at a switch, and each serves all.
const mostNVLinks = 18

var (
	// styling is what a terminal is told about the look of a text.
	styling   = regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]")
	deviceRow = regexp.MustCompile(`^GPU([0-9]{1,3})$`)
	nvlinks   = regexp.MustCompile(`^(?:NV|XGMI)([0-9]+)$`)
)

// Table is a matrix with the numbers that its devices have in a text: those of
// devices that are missing are left out.
type Table struct {
	Matrix
	// Numbers are in the order of the devices, len(Numbers) == Devices.
	Numbers []int
}

// Parse reads a table in the form of nvidia-smi topo -m. Lines before it that begin
// with #, and whatever comes after it, are no part of it. Columns of network adapters
// and of NUMA affinity are optional; so is the second half of a symmetric matrix: where
// the two halves differ, or a cell is N/A, the worse counts.
//
// The table does not say which NVLinks end at a switch: a device with more than 18 in
// all has them there. Nor does it say rates: they are 0.
func Parse(text string) (Table, error) {
	text = styling.ReplaceAllString(text, "")
	var p tableParser
	for n, line := range strings.Split(text, "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if p.columns == nil {
			if deviceRow.MatchString(fields[0]) {
				if err := p.header(fields); err != nil {
					return Table{}, fmt.Errorf("line %d: %w", n+1, err)
				}
			}
			continue
		}
		if err := p.row(fields); err != nil {
			return Table{}, fmt.Errorf("line %d: %w", n+1, err)
		}
	}
	return p.table()
}

type tableParser struct {
	// columns are the names of the columns of devices and adapters, trailing how many
	// there are besides; numa is the place of the NUMA affinity among these.
	columns  []string
	trailing int
	numa     int
	// at is the place of a device by its name.
	at    map[string]int
	out   Table
	cells [MaxDevices][MaxDevices]*Link
	rows  int
}

func (p *tableParser) header(fields []string) error {
	p.at, p.numa = map[string]int{}, -1
	for i, name := range fields {
		if name == "CPU" || name == "NUMA" || name == "GPU" {
			p.affinities(fields[i:])
			break
		}
		p.columns = append(p.columns, name)
		m := deviceRow.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		if _, twice := p.at[name]; twice {
			return fmt.Errorf("column %s is there twice", name)
		}
		if len(p.at) == MaxDevices {
			return fmt.Errorf("column %s: there may be at most %d devices", name, MaxDevices)
		}
		number, err := strconv.Atoi(m[1])
		if err != nil {
			return fmt.Errorf("column %s: %w", name, err)
		}
		if strconv.Itoa(number) != m[1] {
			return fmt.Errorf("column %s: the name of device %d is GPU%d", name, number, number)
		}
		p.at[name] = len(p.at)
		p.out.Numbers = append(p.out.Numbers, number)
	}
	p.out.Devices = len(p.at)
	for d := range p.out.Devices {
		p.out.NUMA[d] = UnknownNUMA
	}
	return nil
}

// affinities reads the last columns of the header, whose names have several words.
func (p *tableParser) affinities(words []string) {
	titles := strings.Join(words, " ")
	for {
		title, rest, ok := cutTitle(titles)
		if !ok {
			return
		}
		if title == "NUMA Affinity" {
			p.numa = p.trailing
		}
		p.trailing++
		titles = rest
	}
}

func cutTitle(titles string) (title, rest string, ok bool) {
	for _, title := range []string{"CPU Affinity", "NUMA Affinity", "GPU NUMA ID"} {
		if rest, ok := strings.CutPrefix(titles, title); ok {
			return title, strings.TrimSpace(rest), true
		}
	}
	return "", "", false
}

func (p *tableParser) row(fields []string) error {
	name := fields[0]
	device, ok := p.at[name]
	if !ok {
		if deviceRow.MatchString(name) && p.rows > 0 {
			return fmt.Errorf("row %s has no column", name)
		}
		return nil // an adapter, or the legend
	}
	cells := fields[1:]
	if len(cells) < len(p.columns) {
		return fmt.Errorf("row %s has %d cells for %d columns", name, len(cells), len(p.columns))
	}
	p.rows++
	for i, column := range p.columns {
		peer, isDevice := p.at[column]
		if isDevice && peer == device {
			if cells[i] != "X" {
				return fmt.Errorf("row %s, column %s: %q; a device and itself have X", name, column, cells[i])
			}
			continue
		}
		link, err := parseLink(cells[i])
		if err != nil {
			return fmt.Errorf("row %s, column %s: %w", name, column, err)
		}
		if isDevice {
			p.cells[device][peer] = &link
		} else {
			p.out.NIC[device] = max(p.out.NIC[device], link.Path)
		}
	}
	// A cell that is empty shifts those after it: then nothing is known of them.
	if rest := cells[len(p.columns):]; p.numa >= 0 && len(rest) == p.trailing {
		if node, err := strconv.ParseInt(rest[p.numa], 10, 16); err == nil && node >= 0 {
			p.out.NUMA[device] = int16(node)
		}
	}
	return nil
}

func parseLink(cell string) (Link, error) {
	if m := nvlinks.FindStringSubmatch(cell); m != nil {
		n, err := strconv.ParseUint(m[1], 10, 8)
		if err != nil {
			return Link{}, fmt.Errorf("%q: a pair has at most 255 links", cell)
		}
		return Link{NVLinks: uint8(n)}, nil
	}
	path, ok := ParsePath(cell)
	if !ok {
		return Link{}, fmt.Errorf("%q is no link; it must be NV with a number, PIX, PXB, PHB, NODE, SYS or N/A", cell)
	}
	return Link{Path: path}, nil
}

// table puts the two halves together.
func (p *tableParser) table() (Table, error) {
	switch {
	case p.columns == nil:
		return Table{}, errors.New("there is no line that begins with the columns GPU0, GPU1, ..., as nvidia-smi topo -m prints them")
	case p.rows == 0 && p.out.Devices > 1:
		return Table{}, errors.New("there are columns of devices and no rows")
	}
	t := &p.out
	var all [MaxDevices]int
	for a := range t.Devices {
		for b := range a {
			link := worse(p.cells[a][b], p.cells[b][a])
			// The table has one word for a pair: the path beside NVLink is not in it.
			if link.NVLinks > 0 && t.NUMA[a] != UnknownNUMA && t.NUMA[b] != UnknownNUMA {
				link.Path = System
				if t.NUMA[a] == t.NUMA[b] {
					link.Path = Node
				}
			}
			t.Join(a, b, link)
			all[a] += int(link.NVLinks)
			all[b] += int(link.NVLinks)
		}
	}
	for a := range t.Devices {
		for b := range a {
			link := t.Links[a][b]
			link.Switched = link.NVLinks > 0 && all[a] > mostNVLinks && all[b] > mostNVLinks
			t.Join(a, b, link)
		}
	}
	return *t, nil
}

// worse returns the worse of two links, of which one may be missing.
func worse(a, b *Link) Link {
	switch {
	case a == nil && b == nil:
		return Link{}
	case a == nil:
		return *b
	case b == nil:
		return *a
	case a.NVLinks != b.NVLinks:
		if a.NVLinks < b.NVLinks {
			return *a
		}
		return *b
	}
	return Link{Path: min(a.Path, b.Path), NVLinks: a.NVLinks}
}
