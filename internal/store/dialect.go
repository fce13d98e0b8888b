package store

import (
	"strconv"
	"strings"
)

// dialect is one of the two SQL engines.
type dialect int

const (
	sqlite dialect = iota
	postgres
)

// rebind turns the ? placeholders of our SQL into what the engine wants. Our
// SQL has no ? inside literals, so no parsing is needed.
func (d dialect) rebind(query string) string {
	if d == sqlite || !strings.Contains(query, "?") {
		return query
	}
	var b strings.Builder
	n := 0
	for i := range len(query) {
		if query[i] != '?' {
			b.WriteByte(query[i])
			continue
		}
		n++
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
	}
	return b.String()
}

// schema turns a migration, written for SQLite with PostgreSQL's type names,
// into the engine's own. Text sorts by bytes on both, so that pages and
// prefix ranges agree.
func (d dialect) schema(ddl string) string {
	if d == sqlite {
		return ddl
	}
	ddl = strings.ReplaceAll(ddl, " TEXT", ` TEXT COLLATE "C"`)
	return strings.ReplaceAll(ddl, " WITHOUT ROWID", "")
}

// begin opens a write transaction. SQLite takes the write lock at once:
// upgrading a read later can fail. PostgreSQL runs serializable, so that a
// function that reads and then writes is right on several nodes too.
func (d dialect) begin() string {
	if d == sqlite {
		return "BEGIN IMMEDIATE"
	}
	return "BEGIN ISOLATION LEVEL SERIALIZABLE"
}

// keysByTable lists the tables with a column named account and the columns of
// their primary keys, in order.
func (d dialect) keysByTable() string {
	if d == sqlite {
		return "SELECT t.name, k.name FROM sqlite_master t JOIN pragma_table_info(t.name) k ON k.pk > 0 " +
			"WHERE t.type = 'table' AND EXISTS (SELECT 1 FROM pragma_table_info(t.name) a WHERE a.name = 'account') ORDER BY t.name, k.pk"
	}
	return "SELECT k.table_name, k.column_name FROM information_schema.table_constraints t " +
		"JOIN information_schema.key_column_usage k ON k.constraint_name = t.constraint_name AND k.table_schema = t.table_schema AND k.table_name = t.table_name " +
		"WHERE t.constraint_type = 'PRIMARY KEY' AND t.table_schema = current_schema() AND EXISTS (SELECT 1 FROM information_schema.columns a " +
		"WHERE a.table_schema = t.table_schema AND a.table_name = t.table_name AND a.column_name = 'account') ORDER BY k.table_name, k.ordinal_position"
}

// containing is the pattern of LIKE that finds a text as it is. Its escape
// character is '!': the engines do not agree about the backslash.
func containing(text string) string {
	return "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(text) + "%"
}
