package demo

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
)

//go:embed page.html
var pageText string

// page is parsed once; that it can be is what the tests are for.
var page = template.Must(template.New("page").Parse(pageText))

// pageData is what page.html is filled with, and draws from in a script of its own.
type pageData struct {
	Figures Figures  `json:"figures"`
	Seconds float64  `json:"seconds"`
	Writes  float64  `json:"writesAPod"`
	OK      bool     `json:"ok"`
	Wrong   string   `json:"wrong,omitempty"`
	Seats   []seats  `json:"seats"`
	Blocks  []Block  `json:"blocks"`
	Order   []string `json:"dialects"`
	Queues  []Queue  `json:"queues,omitempty"`
	Stages  []Stage  `json:"stages,omitempty"`
}

// seats is a submission on the page.
type seats struct {
	Name    string `json:"n"`
	Dialect int    `json:"d"` // index into pageData.Order; -1 for a single pod
	Size    int    `json:"s"`
	GPUs    int    `json:"g"`
	Placed  int    `json:"p"`
	Racks   int    `json:"r"`
	Hue     int    `json:"h"` // degrees
	Asks    string `json:"t,omitempty"`
	Rack    bool   `json:"k,omitempty"` // it asks for one
	Queue   string `json:"q,omitempty"`
	Evicted bool   `json:"e,omitempty"`
	Late    bool   `json:"l,omitempty"`
}

// Page renders the outcome as one HTML file that needs nothing else.
func (r Result) Page() ([]byte, error) {
	data := pageData{Figures: r.Figures, Seconds: r.Elapsed.Seconds(), OK: r.Err() == nil, Blocks: r.Map.Blocks,
		Queues: r.Workload.Queues, Stages: r.Stages}
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
	racks := r.Map.racksOf(len(r.Workload.Submissions))
	for i, s := range r.Workload.Submissions {
		data.Seats = append(data.Seats, seats{
			Name: s.Name, Dialect: place[s.Dialect], Size: s.Size, GPUs: s.GPUs,
			Placed: r.Verdict.Placed[i], Racks: racks[i], Hue: hue(i),
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

// hue is the colour of a submission, in degrees. Gangs come by size, so the golden
// angle sets the largest ones furthest apart; a seed's gangs keep their colours.
func hue(index int) int { return (205 + index*1375/10) % 360 }
