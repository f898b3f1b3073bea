package app

import (
	"fmt"
	"os"
	"strings"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/access/label"
	"github.com/mandate-health/mandate/internal/config"
	"github.com/mandate-health/mandate/internal/health"
)

// LabelConfig says how resources are classified that the FHIR server did not
// label.
type LabelConfig struct {
	ValueSets string   `name:"label-sets" key:"value_sets" default:"palliative" enum:"palliative,none" help:"Value sets that come with Mandate and classify what the FHIR server did not label: palliative (prognosis, goals of care, controlled drugs, psychosocial and family-conflict notes) or none."`
	Files     []string `name:"label-file" key:"files" help:"JSON file of value sets that adds to them, replaces or leaves out some; may be repeated." placeholder:"FILE" type:"existingfile"`
}

// labelling reads the value sets. Errors: every fault of every file.
func (c *LabelConfig) labelling() (*access.Labelling, error) {
	files, err := c.read()
	if err != nil {
		return nil, err
	}
	return label.Load(files...)
}

// read gives the files of value sets in their order.
func (c *LabelConfig) read() ([]label.File, error) {
	var files []label.File
	if c.ValueSets == "palliative" {
		files = append(files, label.Palliative())
	}
	for _, path := range c.Files {
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("the file of value sets cannot be read: %w", err)
		}
		files = append(files, label.File{Name: path, Text: raw})
	}
	return files, nil
}

func (c *LabelConfig) validate(f *config.Faults) {
	if _, err := c.labelling(); err != nil {
		for line := range strings.Lines(err.Error()) {
			f.Add("labels.files", "%s", strings.TrimSpace(line))
		}
	}
}

// labelChecks tell which value sets are loaded.
func (d *doctor) labelChecks() []health.Check {
	return []health.Check{
		ask("labels-value-sets", "which value sets classify what the FHIR server did not label", "set labels.value_sets or labels.files; see docs/operations/labels.md", func() health.Finding {
			l, err := d.cfg.Labels.labelling()
			if err != nil {
				return health.Fail("%v", err)
			}
			var names []string
			for _, s := range l.Sets() {
				names = append(names, fmt.Sprintf("%s (%d codes)", s.Name, len(s.Codes)))
			}
			return health.Wish(len(names) > 0, "version %s: %s. Review: %s", l.Version, strings.Join(names, ", "), l.Review)
		}),
	}
}
