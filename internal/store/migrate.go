package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"sort"
	"strings"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migration is one step of the schema: a file name and its SQL. A file is never
// changed once released; the schema grows by new files.
type migration struct{ name, ddl string }

// steps lists the migrations by name; the number in front gives the order.
func steps() ([]migration, error) {
	files, err := migrations.ReadDir("migrations")
	if err != nil {
		return nil, err
	}
	var all []migration
	for _, file := range files {
		ddl, err := migrations.ReadFile("migrations/" + file.Name())
		if err != nil {
			return nil, err
		}
		all = append(all, migration{strings.TrimSuffix(file.Name(), ".sql"), string(ddl)})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].name < all[j].name })
	return all, nil
}

// migrate applies what is missing, all of it in one transaction.
func (db *DB) migrate(ctx context.Context) error {
	known, err := steps()
	if err != nil {
		return err
	}
	conn, err := db.writes.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, db.dialect.begin()); err != nil {
		return err
	}
	if err := db.apply(ctx, conn, known); err != nil {
		_, _ = conn.ExecContext(ctx, "ROLLBACK")
		return err
	}
	_, err = conn.ExecContext(ctx, "COMMIT")
	return err
}

func (db *DB) apply(ctx context.Context, conn *sql.Conn, known []migration) error {
	if db.dialect == postgres { // two nodes may start on an empty database at once
		if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_xact_lock(7411201)"); err != nil {
			return err
		}
	}
	_, err := conn.ExecContext(ctx, db.dialect.schema("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY)"))
	if err != nil {
		return err
	}
	applied, err := appliedSteps(ctx, conn)
	if err != nil {
		return err
	}
	if err := refuseNewer(known, applied); err != nil {
		return err
	}
	for _, step := range known {
		if applied[step.name] {
			continue
		}
		if err := db.applyStep(ctx, conn, step); err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) applyStep(ctx context.Context, conn *sql.Conn, step migration) error {
	for _, statement := range strings.Split(db.dialect.schema(step.ddl), ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("migration %s: %w", step.name, err)
		}
	}
	_, err := conn.ExecContext(ctx, db.dialect.rebind("INSERT INTO migrations (name) VALUES (?)"), step.name)
	return err
}

func appliedSteps(ctx context.Context, conn *sql.Conn) (map[string]bool, error) {
	rows, err := conn.QueryContext(ctx, "SELECT name FROM migrations")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	applied := map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		applied[name] = true
	}
	return applied, rows.Err()
}

// refuseNewer protects data that a newer thingd wrote from an older one.
func refuseNewer(known []migration, applied map[string]bool) error {
	names := map[string]bool{}
	for _, step := range known {
		names[step.name] = true
	}
	for name := range applied {
		if !names[name] {
			return &newerError{step: name}
		}
	}
	return nil
}

type newerError struct{ step string }

func (e *newerError) Error() string {
	return "it was written by a newer thingd (schema step " + e.step +
		" is unknown to this one); start that version or restore a backup from before the upgrade"
}
