package run

import (
	"io/fs"
	"log/slog"
	"os"
)

// warnOfReaders logs that other users may read a folder of this process, as one that was made by
// hand or by an earlier version. Nothing is changed: somebody may want it so.
func warnOfReaders(dir string, logger *slog.Logger) {
	if dir == "" {
		return
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return // a folder that is missing is made for its owner alone
	}
	logger.Warn("other users may read this folder, with events, profiles, predictions or weights", "folder", dir, "mode", info.Mode().Perm()&fs.ModePerm, "mend", "chmod -R go= "+dir)
}
