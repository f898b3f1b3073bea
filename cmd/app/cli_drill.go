package app

import (
	"fmt"
	"os"

	"github.com/mandate-health/mandate/fhir/codec"
	"github.com/mandate-health/mandate/internal/backup"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/ids"
)

type backupDrill struct {
	From       string `arg:"" help:"Folder or s3://BUCKET/PREFIX of which the newest backup is tried, or one backup." placeholder:"FILE|PLACE"`
	Key        string `name:"backup-key" required:"" help:"Reader key of the pair; it signs the evidence too." placeholder:"FILE" type:"existingfile"`
	Journal    string `name:"revocation-journal" help:"Place of the revocation journal: a folder or s3://BUCKET/PREFIX." placeholder:"PLACE"`
	Everything bool   `name:"revoke-everything" help:"Rehearse a restore without the journal."`
	Scratch    string `name:"scratch-database" help:"URL of an empty PostgreSQL database or schema to restore into; left out: a folder that is removed afterwards." placeholder:"URL"`
	Evidence   string `help:"New file for the signed evidence." placeholder:"FILE"`
	JSON       bool   `name:"json" help:"Print the report as JSON."`
	KeySettings
}

// Run restores, tries and reports. The store in use is never opened, no mail is
// sent, and the FHIR server is not asked.
func (c *backupDrill) Run(s *streams) error {
	key, err := backup.LoadReader(c.Key)
	if err != nil {
		return explain(err)
	}
	from, err := newest(s.ctx, c.From)
	if err != nil {
		return explain(err)
	}
	dir, remove, err := scratch()
	if err != nil {
		return err
	}
	defer remove()
	validator, err := codec.New()
	if err != nil {
		return err
	}
	d, err := newDrill(s.ctx, Config{Data: dir, Database: c.Scratch, KeySettings: c.KeySettings}, restoring{
		from: from, key: key, journal: c.Journal, everything: c.Everything, step: func(string) {},
	})
	if err != nil {
		return explain(err)
	}
	d.log = drillLog(s)
	defer closing(s.ctx, d.store, d.log)
	d.rooms = newRooms(d.store, validator, clock.System{}, ids.Source{})
	report := d.run(s.ctx)
	if c.JSON {
		err = printJSON(s, report)
	} else {
		report.print(s)
	}
	if err != nil {
		return err
	}
	if err := c.sign(s, key, report); err != nil {
		return err
	}
	if !report.Passed {
		return errFailedChecks
	}
	return nil
}

// sign writes the evidence, of a drill that failed too.
func (c *backupDrill) sign(s *streams, key backup.ReaderKey, report drillReport) error {
	if c.Evidence == "" {
		return nil
	}
	text, err := backup.SignEvidence(key, report)
	if err != nil {
		return explain(err)
	}
	f, err := os.OpenFile(c.Evidence, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	if err == nil {
		_, err = f.Write(append(text, '\n'))
		if e := f.Close(); err == nil {
			err = e
		}
	}
	if err != nil {
		return fmt.Errorf("the evidence cannot be written: %w", err)
	}
	fmt.Fprintf(s.err, "signed evidence: %s; check it with: mandate backup verify --evidence %s --backup-key WRITER-KEY\n", c.Evidence, c.Evidence)
	return nil
}
