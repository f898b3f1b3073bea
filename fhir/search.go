package fhir

// SplitValues splits the value of a search parameter into its alternatives: at
// commas that no backslash escapes (R4 §3.1.1.4.7). The escapes are kept.
func SplitValues(v string) []string {
	var out []string
	start := 0
	for i := 0; i < len(v); i++ {
		switch v[i] {
		case '\\':
			i++
		case ',':
			out = append(out, v[start:i])
			start = i + 1
		}
	}
	return append(out, v[start:])
}
