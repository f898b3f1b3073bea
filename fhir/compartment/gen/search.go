package main

import (
	"path/filepath"
	"slices"
	"strings"
)

// usCoreNames are the search parameters that US Core 3 to 8 define beside those of
// R4, by type.
var usCoreNames = map[string]string{
	"CareTeam":              "role",
	"Condition":             "asserted-date",
	"DocumentReference":     "type",
	"Encounter":             "discharge-disposition",
	"Goal":                  "description",
	"Location":              "address",
	"Patient":               "ethnicity gender-identity race",
	"QuestionnaireResponse": "questionnaire",
}

// searchable gives, for each type, the names of all its search parameters: one line
// "Type", a tab, and the names. What every resource has stands with "*".
func searchable(dir string) ([]byte, error) {
	names := map[string][]string{}
	files, err := filepath.Glob(filepath.Join(dir, "SearchParameter-*.json"))
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		var sp searchParameter
		if err := read(f, &sp); err != nil {
			return nil, err
		}
		if !strings.HasPrefix(sp.URL, "http://hl7.org/fhir/SearchParameter/") {
			continue
		}
		for _, base := range sp.Base {
			if base == "Resource" || base == "DomainResource" {
				base = "*"
			}
			names[base] = append(names[base], sp.Code)
		}
	}
	for typ, more := range usCoreNames {
		names[typ] = append(names[typ], strings.Fields(more)...)
	}
	var lines []string
	for typ, list := range names {
		slices.Sort(list)
		lines = append(lines, typ+"\t"+strings.Join(slices.Compact(list), " "))
	}
	slices.Sort(lines)
	return []byte(strings.Join(lines, "\n") + "\n"), nil
}
