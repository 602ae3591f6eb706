package cluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Write writes a snapshot as JSON. Equal snapshots are equal to the byte.
func (s *Snapshot) Write(to io.Writer) error {
	if err := s.Check(); err != nil {
		return fmt.Errorf("writing a snapshot: %w", err)
	}
	w := writer{}
	w.field("{", "version", s.Version)
	w.field(",", "policy", s.Policy)
	w.field(",", "sizes", notNil(s.Sizes))
	w.field(",", "devices", notNil(s.Devices))
	w.field(",", "fabric", notNil(s.Fabric))
	lines(&w, "machines", s.Machines)
	lines(&w, "nodes", s.Nodes)
	w.out.WriteString("\n}\n")
	if w.err != nil {
		return fmt.Errorf("writing a snapshot: %w", w.err)
	}
	_, err := to.Write(w.out.Bytes())
	return err
}

// notNil has an empty list written as such.
func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// writer keeps the first error.
type writer struct {
	out bytes.Buffer
	err error
}

func (w *writer) field(before, name string, value any) {
	fmt.Fprintf(&w.out, "%s\n%q:", before, name)
	w.value(value)
}

// value writes a value on the line, and no escapes for HTML.
func (w *writer) value(value any) {
	encoder := json.NewEncoder(&w.out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil && w.err == nil {
		w.err = err
		return
	}
	w.out.Truncate(w.out.Len() - 1) // the end of the line
}

// lines writes a list with a line for each value.
func lines[T any](w *writer, name string, list []T) {
	fmt.Fprintf(&w.out, ",\n%q:[", name)
	for i := range list {
		if i > 0 {
			w.out.WriteByte(',')
		}
		w.out.WriteByte('\n')
		w.value(&list[i])
	}
	if len(list) > 0 {
		w.out.WriteByte('\n')
	}
	w.out.WriteByte(']')
}

// file is a snapshot whose objects are not read yet, so that an error can name one.
type file struct {
	Version  *int              `json:"version"`
	Policy   json.RawMessage   `json:"policy"`
	Sizes    json.RawMessage   `json:"sizes"`
	Devices  json.RawMessage   `json:"devices"`
	Fabric   json.RawMessage   `json:"fabric"`
	Machines []json.RawMessage `json:"machines"`
	Nodes    []json.RawMessage `json:"nodes"`
}

// Read reads what Write writes. Errors name the object, the field, and what it must be.
func Read(from io.Reader) (*Snapshot, error) {
	text, err := io.ReadAll(from)
	if err != nil {
		return nil, fmt.Errorf("reading a snapshot: %w", err)
	}
	s, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("reading a snapshot: %w", err)
	}
	return s, nil
}

func parse(text []byte) (*Snapshot, error) {
	// Its version comes first: the rest may be unknown for being newer.
	var head struct {
		Version *int `json:"version"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, fmt.Errorf("it is no snapshot in JSON (%w); make one with berthctl snapshot", err)
	}
	if head.Version == nil {
		return nil, fmt.Errorf("version is missing; make a snapshot with berthctl snapshot, which writes version %d", Version)
	}
	s := &Snapshot{Version: *head.Version}
	if s.Version != Version {
		return nil, s.Check()
	}
	var f file
	if err := decode(text, &f); err != nil {
		return nil, err
	}
	for _, part := range []struct {
		field string
		text  json.RawMessage
		into  any
	}{{"policy", f.Policy, &s.Policy}, {"sizes", f.Sizes, &s.Sizes}, {"devices", f.Devices, &s.Devices}, {"fabric", f.Fabric, &s.Fabric}} {
		if part.text == nil {
			return nil, fmt.Errorf("%s is missing; berthctl snapshot --synthetic --nodes 1 shows what it looks like", part.field)
		}
		if err := decode(part.text, part.into); err != nil {
			return nil, fmt.Errorf("%s: %w", part.field, err)
		}
	}
	var err error
	if s.Machines, err = objects[Machine]("machines", f.Machines); err != nil {
		return nil, err
	}
	if s.Nodes, err = objects[Node]("nodes", f.Nodes); err != nil {
		return nil, err
	}
	if err := s.Check(); err != nil {
		return nil, err
	}
	return s, nil
}

// objects reads a list of objects with names.
func objects[T any](field string, texts []json.RawMessage) ([]T, error) {
	out := make([]T, len(texts))
	for i, text := range texts {
		if err := decode(text, &out[i]); err != nil {
			var named struct {
				Name string `json:"name"`
			}
			// What is no name is told below all the same.
			_ = json.Unmarshal(text, &named)
			return nil, fmt.Errorf("%s[%d], named %q: %w", field, i, named.Name, err)
		}
	}
	return out, nil
}

// decode reads a value without fields that are not known.
func decode(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong) && wrong.Field != "":
		return fmt.Errorf("%s is a %s; it must be of type %s", wrong.Field, wrong.Value, wrong.Type)
	case errors.As(err, &wrong):
		return fmt.Errorf("it is a %s; it must be of type %s", wrong.Value, wrong.Type)
	case err != nil:
		return fmt.Errorf("%w; remove it, or correct it", err)
	}
	return nil
}
