package topology

import "testing"

// meshOf16 is a torus of four by four, with two NVLinks for each of its edges.
func meshOf16() Matrix {
	m := Matrix{Devices: 16}
	for a := range 16 {
		for b := range a {
			dx, dy := (a%4-b%4+4)%4, (a/4-b/4+4)%4
			link := Link{Path: System}
			if dx == 0 && (dy == 1 || dy == 3) || dy == 0 && (dx == 1 || dx == 3) {
				link.NVLinks = 2
			}
			m.Join(a, b, link)
		}
	}
	return m
}

// twoSocketsOf16 has PCIe only.
func twoSocketsOf16() Matrix {
	m := Matrix{Devices: 16}
	for a := range 16 {
		m.NUMA[a] = int16(a / 8)
		for b := range a {
			link := Link{Path: System}
			switch {
			case a/4 == b/4:
				link.Path = Bridge
			case a/8 == b/8:
				link.Path = Node
			}
			m.Join(a, b, link)
		}
	}
	return m
}

// switchOf16 has all devices on a switch, but for one.
func switchOf16() Matrix {
	m := Matrix{Devices: 16}
	for a := range 16 {
		for b := range a {
			link := Link{Path: System}
			if a != 15 {
				link.NVLinks, link.Switched = 6, true
			}
			m.Join(a, b, link)
		}
	}
	return m
}

func BenchmarkNewClass(b *testing.B) {
	for _, test := range []struct {
		name   string
		matrix Matrix
	}{
		{"dgx1-v100", fixture(b, "dgx1-v100").Matrix},
		{"hgx-h100", fixture(b, "hgx-h100").Matrix},
		{"torus-16", meshOf16()},
		{"pcie-16", twoSocketsOf16()},
		{"switch-16", switchOf16()},
		{"uneven-8", unevenMesh(1, 8, 1, 36)},
		{"uneven-12", unevenMesh(1, 12, 1, 36)},
		{"uneven-16", unevenMesh(1, 16, 1, 36)},
	} {
		b.Run(test.name, func(b *testing.B) {
			for b.Loop() {
				NewClass(test.matrix, Scheduler, DefaultSizes())
			}
		})
	}
}

// BenchmarkKindOf computes the kinds of 300 sets of 16 devices, with the class.
func BenchmarkKindOf(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		c := NewClass(twoSocketsOf16(), Scheduler, DefaultSizes())
		for i := range 300 {
			c.KindOf(Mask(i * 211))
		}
	}
}

// BenchmarkChoose looks up what was computed before.
func BenchmarkChoose(b *testing.B) {
	c := NewClass(meshOf16(), Scheduler, DefaultSizes())
	frees := []Mask{0xffff, 0x0ff0, 0x1234, 0xf0f0}
	for _, free := range frees {
		if _, ok := c.Choose(AnyLink, 4, free); !ok {
			b.Fatalf("no set of 4 in %b", free)
		}
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		c.Choose(AnyLink, 4, frees[i&3])
		i++
	}
}

// BenchmarkFirstChoice computes what was not asked for before, of 8 of 16 devices.
func BenchmarkFirstChoice(b *testing.B) {
	c := NewClass(meshOf16(), Scheduler, DefaultSizes())
	for b.Loop() {
		c.choices[0xffff] = nil
		c.Choose(AnyLink, 8, 0xffff)
	}
}

// BenchmarkPredict computes what the device plugin picks for the first time.
func BenchmarkPredict(b *testing.B) {
	c := NewClass(fixture(b, "dgx1-v100").Matrix, DevicePlugin, DefaultSizes())
	for b.Loop() {
		c.choices[0xff] = nil
		for k := range 9 {
			c.Choose(AnyLink, k, 0xff)
		}
	}
}
