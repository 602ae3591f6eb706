package main

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// libraryFolders are where the libraries of this machine may be, in the order in which its loader
// looks; a star is the name of the architecture, as Debian has it.
var libraryFolders = []string{"/lib/*-linux-gnu", "/usr/lib/*-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"}

// librariesOf returns the loader of a program and the libraries that it is linked with, and those
// that these are, under the paths by which they are found; none for a static program. A library
// that is loaded later, as NVML's is, comes from the node.
func librariesOf(program string) ([]file, error) {
	loader, needed, machine, err := linkage(program)
	if err != nil || loader == "" {
		return nil, err
	}
	found := map[string]file{}
	add := func(path string) error {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		found[path] = file{strings.TrimPrefix(path, "/"), 0o755, content}
		return nil
	}
	if err := add(loader); err != nil {
		return nil, fmt.Errorf("its loader: %w", err)
	}
	for len(needed) > 0 {
		library := needed[0]
		needed = needed[1:]
		if library == filepath.Base(loader) {
			continue
		}
		path, err := find(library, machine)
		if err != nil {
			return nil, err
		}
		if _, known := found[path]; known {
			continue
		}
		if err := add(path); err != nil {
			return nil, err
		}
		_, more, _, err := linkage(path)
		if err != nil {
			return nil, err
		}
		needed = append(needed, more...)
	}
	var out []file
	for _, f := range found {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b file) int { return strings.Compare(a.path, b.path) })
	return out, nil
}

// linkage returns the loader that a program or library asks for, "" for none, the names of the
// libraries that it is linked with, and the machine that it is for.
func linkage(path string) (loader string, needed []string, machine elf.Machine, err error) {
	f, err := elf.Open(path)
	if err != nil {
		return "", nil, 0, fmt.Errorf("%s: %w", path, err)
	}
	defer func() { _ = f.Close() }()
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		name := make([]byte, p.Filesz)
		if _, err := p.ReadAt(name, 0); err != nil {
			return "", nil, 0, fmt.Errorf("%s: its loader: %w", path, err)
		}
		loader = strings.TrimRight(string(name), "\x00")
	}
	needed, err = f.ImportedLibraries()
	if err != nil {
		return "", nil, 0, fmt.Errorf("%s: its libraries: %w", path, err)
	}
	return loader, needed, f.Machine, nil
}

// find returns the path of a library of this machine; those of others may be beside it.
func find(library string, machine elf.Machine) (string, error) {
	for _, pattern := range libraryFolders {
		folders, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		for _, folder := range folders {
			path := filepath.Join(folder, library)
			_, _, of, err := linkage(path)
			if err == nil && of == machine {
				return path, nil
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return "", err
			}
		}
	}
	return "", fmt.Errorf("library %s is in none of %s", library, strings.Join(libraryFolders, ", "))
}
