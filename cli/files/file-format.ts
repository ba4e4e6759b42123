import { KindredError } from "../../schemas/errors.js";
import { FILE_FORMATS, type FileFormat, formatOfName } from "../../streams/files/file-rows.js";

/** The format that was named, else that of the file's name. @throws KindredError USAGE */
export function formatOf(path: string, named: FileFormat | undefined, flag = "--format"): FileFormat {
  const format = named ?? formatOfName(path);
  if (format === undefined)
    throw new KindredError("USAGE", `the name does not say the format; name it with ${flag} ${FILE_FORMATS.join("|")}`, path);
  return format;
}
