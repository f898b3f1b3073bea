package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: gen PACKAGE-FOLDER TABLES SEARCH")
		os.Exit(2)
	}
	out, err := generate(os.Args[1])
	if err == nil {
		err = os.WriteFile(os.Args[2], out, 0o644)
	}
	if err == nil {
		out, err = searchable(os.Args[1])
	}
	if err == nil {
		err = os.WriteFile(os.Args[3], out, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type compartmentDefinition struct {
	Resource []struct {
		Code  string   `json:"code"`
		Param []string `json:"param"`
	} `json:"resource"`
}

type searchParameter struct {
	Code       string   `json:"code"`
	Base       []string `json:"base"`
	Type       string   `json:"type"`
	Expression string   `json:"expression"`
	URL        string   `json:"url"`
}

type structureDefinition struct {
	Snapshot struct {
		Element []struct {
			Path string `json:"path"`
			Type []struct {
				Code string `json:"code"`
			} `json:"type"`
		} `json:"element"`
	} `json:"snapshot"`
}

// usCore lists token parameters which US Core defines beside those of R4.
var usCore = map[string]string{
	"CareTeam\trole":                   "participant.role",
	"Encounter\tdischarge-disposition": "hospitalization.dischargeDisposition",
	"Goal\tdescription":                "description",
}

// left out: values and person data, on which no scope may depend and which a
// decision must not carry.
var skipped = regexp.MustCompile(`^(combo-|component-|value-)|^(gender|language|context|context-type|sensitivity|relation)$|^_`)

// kinds tells which data types a parameter kind can be read from.
var kinds = map[string][]string{
	"token":     {"code", "Coding", "CodeableConcept"},
	"date":      {"date", "dateTime", "instant", "Period", "Timing"},
	"reference": {"Reference"},
}

func generate(dir string) ([]byte, error) {
	var cd compartmentDefinition
	if err := read(filepath.Join(dir, "CompartmentDefinition-patient.json"), &cd); err != nil {
		return nil, err
	}
	elements := map[string]map[string][]string{}
	var lines []string
	for _, r := range cd.Resource {
		lines = append(lines, row(r.Code, "type", "", r.Param))
		var sd structureDefinition
		if err := read(filepath.Join(dir, "StructureDefinition-"+r.Code+".json"), &sd); err != nil {
			return nil, err
		}
		elements[r.Code] = elementTypes(sd)
	}
	for key, path := range usCore {
		typ, name, _ := strings.Cut(key, "\t")
		lines = append(lines, row(typ, "token", name, []string{path}))
	}
	files, err := filepath.Glob(filepath.Join(dir, "SearchParameter-*.json"))
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		var sp searchParameter
		if err := read(f, &sp); err != nil {
			return nil, err
		}
		lines = append(lines, rows(sp, elements)...)
	}
	slices.Sort(lines)
	return []byte(strings.Join(slices.Compact(lines), "\n") + "\n"), nil
}

func rows(sp searchParameter, elements map[string]map[string][]string) []string {
	if kinds[sp.Type] == nil || skipped.MatchString(sp.Code) || !strings.HasPrefix(sp.URL, "http://hl7.org/fhir/SearchParameter/") {
		return nil
	}
	var lines []string
	for _, base := range sp.Base {
		if elements[base] == nil {
			continue
		}
		var paths []string
		for part := range strings.SplitSeq(sp.Expression, "|") {
			paths = append(paths, resolve(strings.TrimSpace(part), base, sp.Type, elements[base])...)
		}
		if len(paths) > 0 {
			lines = append(lines, row(base, sp.Type, sp.Code, paths))
		}
	}
	return lines
}

var cast = regexp.MustCompile(`^\(?([A-Za-z.]+)(?: as |\.as\()([A-Za-z]+)\)$`)

// resolve gives the JSON paths of one branch of an expression, with ":Type"
// behind a path which holds only for references to that type.
func resolve(expr, base, kind string, elements map[string][]string) []string {
	target := ""
	if before, after, ok := strings.Cut(expr, ".where(resolve() is "); ok {
		expr, target = before, ":"+strings.TrimSuffix(after, ")")
	}
	only := ""
	if m := cast.FindStringSubmatch(expr); m != nil {
		expr, only = m[1], m[2]
	}
	if !strings.HasPrefix(expr, base+".") || strings.ContainsAny(expr, "() '[") {
		return nil
	}
	path := strings.TrimPrefix(expr, base+".")
	if types, ok := elements[path]; ok {
		if only == "" && slices.ContainsFunc(types, func(t string) bool { return slices.Contains(kinds[kind], t) }) {
			return []string{path + target}
		}
		return nil
	}
	var paths []string
	for _, t := range elements[path+"[x]"] {
		if slices.Contains(kinds[kind], t) && (only == "" || only == t) {
			paths = append(paths, path+strings.ToUpper(t[:1])+t[1:]+target)
		}
	}
	return paths
}

func elementTypes(sd structureDefinition) map[string][]string {
	types := map[string][]string{}
	for _, e := range sd.Snapshot.Element {
		_, path, ok := strings.Cut(e.Path, ".")
		if !ok {
			continue
		}
		for _, t := range e.Type {
			types[path] = append(types[path], t.Code)
		}
	}
	return types
}

func row(typ, kind, name string, values []string) string {
	return typ + "\t" + kind + "\t" + name + "\t" + strings.Join(values, " ")
}

func read(file string, into any) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return json.NewDecoder(bytes.NewReader(raw)).Decode(into)
}
