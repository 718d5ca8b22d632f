package alluxio.yarn;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;

/** What the user wants run, as the client reads it and hands it to the application master in the job's configuration. */
final class JobOptions {
  static final String USAGE =
      "yarn jar alluxio-yarn.jar [option ...] --input PATH [--input PATH ...] -- COMMAND [ARGUMENT ...]\n"
          + "\n"
          + "  --input PATH         file or directory of Alluxio; may be repeated\n"
          + "  --hints URL          web address of the master (http://127.0.0.1:19999)\n"
          + "  --user NAME          who asks for hints (the user of the process)\n"
          + "  --per-node N         containers on each node (1)\n"
          + "  --memory MB          of each container (512)\n"
          + "  --vcores N           of each container (1)\n"
          + "  --wait SECONDS       how long to hold out for the nodes that hold the data (5)\n"
          + "  --retries N          how often a container that failed is run again (2)\n"
          + "  --file PATH          local file that the command finds in its working directory; may be repeated\n"
          + "  --name NAME, --queue QUEUE, --master-memory MB (384), --staging DIRECTORY\n"
          + "  -D KEY=VALUE         of Hadoop's configuration; may be repeated\n";

  private static final String PROPERTY = "alluxio.launcher.job";
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final List<String> LISTS = Arrays.asList("--input", "--file", "-D", "--");
  private static final Map<String, String> DEFAULTS = new LinkedHashMap<>();

  static {
    DEFAULTS.put("--hints", "http://127.0.0.1:19999");
    DEFAULTS.put("--user", System.getProperty("user.name"));
    DEFAULTS.put("--per-node", "1");
    DEFAULTS.put("--memory", "512");
    DEFAULTS.put("--vcores", "1");
    DEFAULTS.put("--wait", "5");
    DEFAULTS.put("--retries", "2");
    DEFAULTS.put("--name", "alluxio");
    DEFAULTS.put("--queue", "default");
    DEFAULTS.put("--master-memory", "384");
    DEFAULTS.put("--staging", "");
  }

  private final Map<String, List<String>> words;

  private JobOptions(Map<String, List<String>> words) {
    this.words = words;
  }

  /** @throws IllegalArgumentException with what is wrong */
  static JobOptions parse(String[] args) {
    Map<String, List<String>> words = new LinkedHashMap<>();
    DEFAULTS.forEach((key, value) -> words.put(key, List.of(value)));
    for (String list : LISTS) words.put(list, new ArrayList<>());
    for (int i = 0; i < args.length; i++) {
      String option = args[i];
      if (option.equals("--")) {
        words.get(option).addAll(Arrays.asList(args).subList(i + 1, args.length));
        break;
      }
      if (!words.containsKey(option)) throw new IllegalArgumentException("there is no option " + option);
      if (++i == args.length) throw new IllegalArgumentException(option + " needs a value");
      if (LISTS.contains(option)) words.get(option).add(args[i]);
      else words.put(option, List.of(args[i]));
    }
    JobOptions options = new JobOptions(words);
    if (options.inputs().isEmpty()) throw new IllegalArgumentException("no --input");
    if (options.command().isEmpty()) throw new IllegalArgumentException("no command after --");
    for (String number : List.of("--per-node", "--memory", "--vcores", "--master-memory")) options.number(number, 1);
    for (String number : List.of("--wait", "--retries")) options.number(number, 0);
    for (String pair : options.list("-D")) if (pair.indexOf('=') < 1) throw new IllegalArgumentException("-D takes KEY=VALUE");
    return options;
  }

  static JobOptions of(Configuration conf) throws IOException {
    return new JobOptions(JSON.readValue(conf.getRaw(PROPERTY), new TypeReference<Map<String, List<String>>>() {}));
  }

  void putInto(Configuration conf) throws IOException {
    conf.set(PROPERTY, JSON.writeValueAsString(words));
  }

  List<String> list(String option) {
    return words.get(option);
  }

  String text(String option) {
    return words.get(option).get(0);
  }

  int number(String option) {
    return number(option, 0);
  }

  private int number(String option, int least) {
    try {
      int number = Integer.parseInt(text(option));
      if (number >= least) return number;
    } catch (NumberFormatException e) {
      // It is told below.
    }
    throw new IllegalArgumentException(option + " takes a number of " + least + " or more, not " + text(option));
  }

  List<String> inputs() {
    return list("--input");
  }

  List<String> command() {
    return list("--");
  }

  /** What a shell runs in each container: one word is a line of the shell's, several are the words of a command. */
  String script() {
    List<String> command = command();
    if (command.size() == 1) return command.get(0) + "\n";
    StringBuilder line = new StringBuilder("exec");
    for (String word : command) line.append(" '").append(word.replace("'", "'\\''")).append('\'');
    return line.append('\n').toString();
  }
}
