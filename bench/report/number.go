package report

import (
	"math"
	"strconv"
	"strings"
)

// none stands where there is no number.
const none = "-"

// number renders x with so many decimals and a comma between thousands.
func number(x float64, decimals int) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return none
	}
	text := strconv.FormatFloat(math.Abs(x), 'f', decimals, 64)
	whole, fraction, _ := strings.Cut(text, ".")
	var out strings.Builder
	if x < 0 && strings.Trim(text, "0.") != "" {
		out.WriteByte('-')
	}
	for i, digit := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			out.WriteByte(',')
		}
		out.WriteRune(digit)
	}
	if fraction != "" {
		out.WriteString("." + fraction)
	}
	return out.String()
}

// maybe renders *x as number does, none for nil.
func maybe(x *float64, decimals int) string {
	if x == nil {
		return none
	}
	return number(*x, decimals)
}

// signed renders *x as maybe does, with a + before what is not negative.
func signed(x *float64, decimals int) string {
	text := maybe(x, decimals)
	if strings.HasPrefix(text, "-") { // none as well
		return text
	}
	return "+" + text
}

// count renders a whole number.
func count(n int) string { return number(float64(n), 0) }

// percent renders a part of one.
func percent(x float64) string {
	text := number(100*x, 0)
	if text == none {
		return none
	}
	return text + " %"
}
