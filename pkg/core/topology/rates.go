package topology

import "strings"

// MaxRate is the highest rate of one link, in MB/s: higher ones count as this. So no
// quality exceeds 32 bits: there are up to 255 x 15 / 2 rings.
const MaxRate = 1_000_000

// defaultRates are those of a machine of which nothing is known: NVLink 2 to 4 by
// their data sheets, PCIe 3 with 16 lanes, two sockets of its time.
var defaultRates = Rates{NVLink: 25_000, PCIe: 12_000, System: 10_000}

// products are the rates by what is in a product's name, the first that is in it. The
// rates of NVLinks are those that NCCL plans with, PCIe is that of 16 lanes of the
// product's generation, and System that of the sockets that it is mostly sold with.
var products = []struct {
	name  string
	rates Rates
}{
	{"GB300", Rates{40_100, 48_000, 40_000}},
	{"GB200", Rates{40_100, 48_000, 40_000}},
	{"B300", Rates{40_100, 48_000, 40_000}},
	{"B200", Rates{40_100, 48_000, 40_000}},
	{"GH200", Rates{20_600, 48_000, 40_000}},
	{"H200", Rates{20_600, 48_000, 22_000}},
	{"H100", Rates{20_600, 48_000, 22_000}},
	{"H800", Rates{20_600, 48_000, 22_000}},
	{"H20", Rates{20_600, 48_000, 22_000}},
	{"A100", Rates{20_000, 24_000, 16_000}},
	{"A800", Rates{20_000, 24_000, 16_000}},
	{"V100", Rates{20_000, 12_000, 10_000}},
	{"P100", Rates{20_000, 12_000, 10_000}},
	{"MI300", Rates{48_000, 48_000, 16_000}},
	{"MI325", Rates{48_000, 48_000, 16_000}},
	{"L40", Rates{0, 24_000, 16_000}},
	{"L4", Rates{0, 24_000, 16_000}},
	{"4090", Rates{0, 24_000, 16_000}},
	{"T4", Rates{0, 12_000, 10_000}},
}

// RatesOf returns the rates of a product by its name, such as "NVIDIA H100 80GB HBM3";
// false, and rates to fall back on, if it is not known.
func RatesOf(product string) (Rates, bool) {
	upper := strings.ToUpper(product)
	for _, p := range products {
		if strings.Contains(upper, p.name) {
			return p.rates.Or(defaultRates), true
		}
	}
	return defaultRates, false
}

// Or returns the rates with those that are 0 taken from others.
func (r Rates) Or(others Rates) Rates {
	if r.NVLink <= 0 {
		r.NVLink = others.NVLink
	}
	if r.PCIe <= 0 {
		r.PCIe = others.PCIe
	}
	if r.System <= 0 {
		r.System = others.System
	}
	return r
}

// clamp returns the rates with none above MaxRate.
func (r Rates) clamp() Rates {
	return Rates{NVLink: min(r.NVLink, MaxRate), PCIe: min(r.PCIe, MaxRate), System: min(r.System, MaxRate)}
}
