package demo

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"os"
	"path/filepath"

	"github.com/berth-dev/berth/pkg/webpage"
)

//go:embed page.html
var pageText string

// page is parsed once; that it can be is what the tests are for.
var page = template.Must(template.New("page").Parse(pageText))

// pageData is what page.html is filled with, and draws from in a script of its own.
type pageData struct {
	Figures Figures        `json:"figures"`
	Seconds float64        `json:"seconds"`
	Writes  float64        `json:"writesAPod"`
	OK      bool           `json:"ok"`
	Wrong   string         `json:"wrong,omitempty"`
	Seats   []seats        `json:"seats"`
	Nodes   []webpage.Node `json:"nodes"`
	Order   []string       `json:"dialects"`
	Queues  []Queue        `json:"queues,omitempty"`
	Stages  []Stage        `json:"stages,omitempty"`
	// Look and Drawing are the style and the scripts of the scheduler's page.
	Look    template.CSS `json:"-"`
	Drawing template.JS  `json:"-"`
}

// seats is a submission on the page.
type seats struct {
	Key     string `json:"key"`
	Name    string `json:"n"`
	Dialect int    `json:"d"` // index into pageData.Order; -1 for a single pod
	Size    int    `json:"s"`
	GPUs    int    `json:"g"`
	Placed  int    `json:"p"`
	Racks   int    `json:"r"`
	Asks    string `json:"t,omitempty"`
	Rack    bool   `json:"k,omitempty"` // it asks for one
	Queue   string `json:"q,omitempty"`
	Evicted bool   `json:"e,omitempty"`
	Late    bool   `json:"l,omitempty"`
}

// Page renders the outcome as one HTML file that needs nothing else: the map and the list of
// gangs are those of the scheduler's page.
func (r Result) Page() ([]byte, error) {
	look, err := webpage.Asset("page.css")
	if err != nil {
		return nil, fmt.Errorf("rendering the page: %w", err)
	}
	drawing, err := webpage.Inline("map.js", "gangs.js")
	if err != nil {
		return nil, fmt.Errorf("rendering the page: %w", err)
	}
	data := pageData{Figures: r.Figures, Seconds: r.Elapsed.Seconds(), OK: r.Err() == nil, Nodes: r.Nodes,
		Queues: r.Workload.Queues, Stages: r.Stages, Look: template.CSS(look), Drawing: template.JS(drawing)}
	if err := r.Err(); err != nil {
		data.Wrong = err.Error()
	}
	if r.Figures.Bound > 0 {
		data.Writes = float64(r.Figures.APIWritesByScheduler) / float64(r.Figures.Bound)
	}
	place := map[string]int{"": -1}
	for i, d := range dialects {
		place[d.name] = i
		data.Order = append(data.Order, d.name)
	}
	racks := racksOf(r.Nodes)
	for i, s := range r.Workload.Submissions {
		data.Seats = append(data.Seats, seats{
			Key: s.key(), Name: s.Name, Dialect: place[s.Dialect], Size: s.Size, GPUs: s.GPUs,
			Placed: r.Verdict.Placed[i], Racks: racks[s.key()],
			Asks: s.asks(), Rack: s.AsksForRack(), Queue: s.Queue, Late: s.Late,
			Evicted: r.Evicted.Pods != nil && r.Evicted.Pods[i] > 0,
		})
	}
	var out bytes.Buffer
	if err := page.Execute(&out, data); err != nil {
		return nil, fmt.Errorf("rendering the page: %w", err)
	}
	return out.Bytes(), nil
}

// WritePage writes the page to path, in a directory that is made if need be.
func (r Result) WritePage(path string) error {
	text, err := r.Page()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}
