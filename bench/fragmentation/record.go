package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/berth-dev/berth/bench/report"
)

// record is what a contestant has placed of a stream.
type record struct {
	Contestant string `json:"contestant"`
	Params     params `json:"params"`
	// Environment is the machine and the code of the run that has written it.
	Environment report.Environment `json:"environment"`
	// Placements are those of the first gangs of the stream, in order.
	Placements []placement `json:"placements"`
}

// recordPath returns where the record of a contestant is, beside the rows in out.
func recordPath(out, contestant string) string {
	return filepath.Join(strings.TrimSuffix(out, filepath.Ext(out)), contestant+".json")
}

// readRecord reads the record of a contestant; there is false if it has none.
func readRecord(out, contestant string) (r record, there bool, err error) {
	path := recordPath(out, contestant)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, false, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		return record{}, false, fmt.Errorf("reading %q: %w", path, err)
	}
	return r, true, nil
}

// readRecords reads the records of all contestants that have one of these parameters.
func readRecords(out string, of params) ([]record, error) {
	var all []record
	for _, c := range contestants {
		r, there, err := readRecord(out, c.name)
		if err != nil {
			return nil, err
		}
		if there && r.Params == of {
			all = append(all, r)
		}
	}
	return all, nil
}

// write writes a record in one step, so that a reader sees the old one or the new one.
func (r record) write(out string) error {
	path := recordPath(out, r.Contestant)
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("writing %q: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("writing %q: %w", path, err)
	}
	if err := os.WriteFile(path+".new", append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing %q: %w", path, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("writing %q: %w", path, err)
	}
	return nil
}
