import java.io.FileInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;

/**
 * Grants what a file says, once the broker answers: {@code Grant CLIENT.properties RULES}. A rule is a line: who, TOPIC, GROUP
 * or CLUSTER, its name, LITERAL or PREFIXED, what. One that is granted already changes nothing. No rules
 * at all is a way to ask whether the broker answers.
 */
public final class Grant {
  private static final int TRIES = 120;
  private static final long PAUSE_MS = 1000;

  private Grant() {}

  static List<AclBinding> read(Path file) throws java.io.IOException {
    List<AclBinding> rules = new ArrayList<>();
    for (String line : Files.readAllLines(file)) {
      if (line.isBlank() || line.startsWith("#")) continue;
      String[] word = line.trim().split("\\s+");
      if (word.length != 5) throw new IllegalArgumentException("not a rule: " + line);
      rules.add(
          new AclBinding(
              new ResourcePattern(
                  ResourceType.valueOf(word[1]), word[2], PatternType.valueOf(word[3])),
              new AccessControlEntry(
                  "User:" + word[0], "*", AclOperation.valueOf(word[4]), AclPermissionType.ALLOW)));
    }
    return rules;
  }

  public static void main(String[] arguments) throws Exception {
    Properties client = new Properties();
    try (FileInputStream file = new FileInputStream(arguments[0])) {
      client.load(file);
    }
    List<AclBinding> rules = read(Path.of(arguments[1]));
    for (int attempt = 1; ; attempt++) {
      try (Admin admin = Admin.create(client)) {
        admin.describeCluster().controller().get();
        admin.createAcls(rules).all().get();
        System.err.println("granted: " + rules.size() + " rules");
        return;
      } catch (ExecutionException failed) {
        if (attempt == TRIES) throw failed;
        Thread.sleep(PAUSE_MS);
      }
    }
  }
}
