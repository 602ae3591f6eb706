package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"path"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// sbom returns what is in an image, as CycloneDX: the modules that a program says it was built
// from, and the libraries beside it.
func sbom(of, built string, libraries []file) ([]byte, error) {
	info, err := buildinfo.ReadFile(built)
	if err != nil {
		return nil, err
	}
	list := cdx.NewBOM()
	list.Metadata = &cdx.Metadata{Component: &cdx.Component{
		Type: cdx.ComponentTypeApplication, Name: of, BOMRef: info.Main.Path, PackageURL: "pkg:golang/" + info.Main.Path,
	}}
	components := []cdx.Component{{
		Type: cdx.ComponentTypeLibrary, Name: "std", Version: info.GoVersion, BOMRef: "pkg:golang/std@" + info.GoVersion,
		PackageURL: "pkg:golang/std@" + info.GoVersion,
	}}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		id := "pkg:golang/" + m.Path + "@" + m.Version
		components = append(components, cdx.Component{Type: cdx.ComponentTypeLibrary, Name: m.Path, Version: m.Version, BOMRef: id, PackageURL: id})
	}
	for _, l := range libraries {
		sum := sha256.Sum256(l.content)
		components = append(components, cdx.Component{
			Type: cdx.ComponentTypeFile, Name: path.Base(l.path), BOMRef: "file:/" + l.path,
			Hashes: &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}},
		})
	}
	list.Components = &components
	var out bytes.Buffer
	encoder := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON)
	encoder.SetPretty(true)
	if err := encoder.Encode(list); err != nil {
		return nil, fmt.Errorf("its list of modules: %w", err)
	}
	return out.Bytes(), nil
}
