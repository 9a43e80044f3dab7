#include "services/sankofactl/doctor/finding.h"

#include <algorithm>
#include <array>

#include "services/platform/status/check.h"

namespace sankofa::ctl {
namespace {

struct Row {
  Trouble trouble;
  std::string_view name;
  std::string_view en;
  std::string_view fr;
};

constexpr std::array kRows = {
    Row{Trouble::kOk, "OK", "", ""},
    Row{Trouble::kCertificateMissing, "CERTIFICATE_MISSING",
        "Put certificate, key and authority where the configuration names them.",
        "Placez le certificat, la clé et l'autorité là où la configuration les nomme."},
    Row{Trouble::kCertificateEnded, "CERTIFICATE_ENDED",
        "Renew it now: sankofactl rotate certificates, or the authority that signs yours.",
        "Renouvelez-le maintenant : sankofactl rotate certificates, ou l'autorité qui signe les "
        "vôtres."},
    Row{Trouble::kCertificateEnding, "CERTIFICATE_ENDING",
        "Renew it before its last day: sankofactl rotate certificates, or the authority that signs "
        "yours.",
        "Renouvelez-le avant son dernier jour : sankofactl rotate certificates, ou l'autorité qui "
        "signe les "
        "vôtres."},
    Row{Trouble::kCertificateNotYet, "CERTIFICATE_NOT_YET",
        "It holds from a later time: look at the clock of the machine that signed it and of this "
        "one.",
        "Il ne vaut qu'à partir d'un moment ultérieur : vérifiez l'horloge de la machine qui l'a "
        "signé et de "
        "celle-ci."},
    Row{Trouble::kCertificateUntrusted, "CERTIFICATE_UNTRUSTED",
        "The node's authority did not sign it: use that authority, or put the right authority's "
        "file in place.",
        "L'autorité du nœud ne l'a pas signé : utilisez-la, ou mettez en place le fichier de la "
        "bonne autorité."},
    Row{Trouble::kCertificateName, "CERTIFICATE_NAME",
        "It lacks a name under which it is called or known: have one made with all of them.",
        "Il lui manque un nom sous lequel il est appelé ou connu : faites-en faire un qui les "
        "porte tous."},
    Row{Trouble::kCertificateKey, "CERTIFICATE_KEY",
        "Certificate and key are of two pairs: put both files of one pair in place.",
        "Le certificat et la clé ne vont pas ensemble : mettez en place les deux fichiers d'une "
        "même paire."},
    Row{Trouble::kCertificateOld, "CERTIFICATE_OLD",
        "The process still shows an earlier certificate than its file: see its log, or restart it.",
        "Le processus montre encore un certificat antérieur à celui du fichier : voyez son "
        "journal, ou "
        "redémarrez-le."},
    Row{Trouble::kTlsUnreachable, "TLS_UNREACHABLE",
        "Nothing speaks TLS there: start it, or correct the address.",
        "Rien n'y parle TLS : démarrez-le, ou corrigez l'adresse."},
    Row{Trouble::kClockOff, "CLOCK_OFF",
        "Let the machine take its time from the network (chrony or systemd-timesyncd).",
        "Laissez la machine prendre l'heure du réseau (chrony ou systemd-timesyncd)."},
    Row{Trouble::kDatabaseUnreachable, "DATABASE_UNREACHABLE",
        "Start PostgreSQL, or correct postgres.host, postgres.port and the service's password "
        "file.",
        "Démarrez PostgreSQL, ou corrigez postgres.host, postgres.port et le fichier du mot de "
        "passe du "
        "service."},
    Row{Trouble::kMigrationMissing, "MIGRATION_MISSING", "Run: sankofa migrate --config FILE",
        "Exécutez : sankofa migrate --config FICHIER"},
    Row{Trouble::kMigrationChanged, "MIGRATION_CHANGED",
        "The database has another text of a migration than this program: use the program of the "
        "version that "
        "the database was migrated with.",
        "La base a reçu une migration dont le texte diffère de celui de ce programme : utilisez le "
        "programme de "
        "la version avec laquelle la base a été migrée."},
    Row{Trouble::kKafkaUnreachable, "KAFKA_UNREACHABLE",
        "Start Kafka, or correct kafka.brokers. Calls are answered meanwhile; events wait in the "
        "database.",
        "Démarrez Kafka, ou corrigez kafka.brokers. Les appels sont servis entre-temps ; les "
        "événements "
        "attendent dans la base."},
    Row{Trouble::kKafkaDenied, "KAFKA_DENIED",
        "Kafka does not let this certificate look: grant the rights in scripts/lib/kafka_admin.py.",
        "Kafka ne laisse pas ce certificat regarder : accordez les droits de "
        "scripts/lib/kafka_admin.py."},
    Row{Trouble::kTopicMissing, "TOPIC_MISSING",
        "Its service makes it when it can: see why not in that service's log, or make it by hand.",
        "Son service le crée dès qu'il le peut : voyez pourquoi non dans le journal du service, ou "
        "créez-le à la "
        "main."},
    Row{Trouble::kTopicPartitions, "TOPIC_PARTITIONS",
        "Add partitions with Kafka's tools, or set kafka.partitions to what is there; a number "
        "can't be lowered.",
        "Ajoutez des partitions avec les outils de Kafka, ou mettez kafka.partitions à ce qui "
        "existe ; un nombre "
        "ne peut être réduit."},
    Row{Trouble::kTopicReplication, "TOPIC_REPLICATION",
        "Move the topic to as many brokers as kafka.replication says, with Kafka's tools.",
        "Répartissez le sujet sur autant de brokers que le dit kafka.replication, avec les outils "
        "de Kafka."},
    Row{Trouble::kTopicMinIsr, "TOPIC_MIN_ISR",
        "Set the topic's min.insync.replicas: at least 2 with three copies or more, and fewer than "
        "the copies.",
        "Réglez min.insync.replicas du sujet : au moins 2 avec trois copies ou plus, et moins que "
        "les copies."},
    Row{Trouble::kTopicRetention, "TOPIC_RETENTION",
        "Set the topic's retention.ms to kafka.retention_hours at least: who was away longer asks "
        "the journal.",
        "Réglez retention.ms du sujet à kafka.retention_hours au moins : qui a été absent plus "
        "longtemps "
        "interroge le journal."},
    Row{Trouble::kTopicMessageSize, "TOPIC_MESSAGE_SIZE",
        "Set the topic's max.message.bytes to 1114112 at least, or large events will be parked.",
        "Réglez max.message.bytes du sujet à 1114112 au moins, sinon de grands événements seront "
        "mis de côté."},
    Row{Trouble::kTopicNotInSync, "TOPIC_NOT_IN_SYNC", "A broker is away or behind: bring it back.",
        "Un broker est absent ou en retard : remettez-le en service."},
    Row{Trouble::kRedisUnreachable, "REDIS_UNREACHABLE",
        "Start Redis, or correct redis.address. Nothing is lost: what it holds is built again.",
        "Démarrez Redis, ou corrigez redis.address. Rien n'est perdu : ce qu'il contient se "
        "reconstruit."},
    Row{Trouble::kServiceUnreachable, "SERVICE_UNREACHABLE",
        "Start the service, or see in its log why it does not serve.",
        "Démarrez le service, ou voyez dans son journal pourquoi il ne sert pas."},
    Row{Trouble::kServiceRefused, "SERVICE_REFUSED",
        "Give the token of a node operator: --token-file, or the variable SANKOFA_TOKEN.",
        "Donnez le jeton d'un exploitant du nœud : --token-file, ou la variable SANKOFA_TOKEN."},
    Row{Trouble::kVersionsDiffer, "VERSIONS_DIFFER",
        "An upgrade is under way or stopped halfway: bring all services to one version.",
        "Une mise à niveau est en cours ou s'est arrêtée à mi-chemin : amenez tous les services à "
        "une version."},
    Row{Trouble::kRelayStalled, "RELAY_STALLED",
        "Events wait in the database and none left while we looked: see Kafka, and the service's "
        "log.",
        "Des événements attendent dans la base et aucun n'est parti pendant l'observation : voyez "
        "Kafka et le "
        "journal du service."},
    Row{Trouble::kRelayParked, "RELAY_PARKED",
        "Cases wait behind an event that can't be published: the service's log names it.",
        "Des dossiers attendent derrière un événement qui ne peut être publié : le journal du "
        "service le nomme."},
    Row{Trouble::kDeadLetters, "DEAD_LETTERS",
        "Look at them: sankofactl dead-letters list; then replay or discard each.",
        "Regardez-les : sankofactl dead-letters list ; puis rejouez ou écartez chacun."},
    Row{Trouble::kConsumerTrouble, "CONSUMER_TROUBLE",
        "What stands before is the consumer's own word for what is in its way: remove that.",
        "Ce qui précède dit ce qui gêne le lecteur : levez-le."},
    Row{Trouble::kConsumerBehind, "CONSUMER_BEHIND",
        "It has more to read than it should and did not get on while we looked: see the service's "
        "log.",
        "Il a plus à lire qu'il ne devrait et n'a pas avancé pendant l'observation : voyez le "
        "journal du service."},
    Row{Trouble::kPartnerTrouble, "PARTNER_TROUBLE",
        "What stands before is in the way: remove it, or call the partner.",
        "Ce qui précède gêne l'échange : levez-le, ou appelez le partenaire."},
    Row{Trouble::kPartnerSilent, "PARTNER_SILENT",
        "Its cluster can't be reached from here: call the partner.",
        "Son cluster ne peut être joint d'ici : appelez le partenaire."},
    Row{Trouble::kPartnerUnread, "PARTNER_UNREAD",
        "It does not read what it was sent: call the partner.",
        "Il ne lit pas ce qui lui a été envoyé : appelez le partenaire."},
    Row{Trouble::kPartnerBehind, "PARTNER_BEHIND",
        "What it sent waits to be read here: see exchange's log.",
        "Ce qu'il a envoyé attend d'être lu ici : voyez le journal d'exchange."},
    Row{Trouble::kPartnerRefuses, "PARTNER_REFUSES",
        "Messages were refused: sankofactl refusals shows ours, the partner's operator the others.",
        "Des messages ont été refusés : sankofactl refusals montre les nôtres, l'exploitant du "
        "partenaire les "
        "autres."},
    Row{Trouble::kPartnerErasures, "PARTNER_ERASURES",
        "It owes receipts for erasures: sankofactl erasures --state OVERDUE; call its data "
        "protection officer.",
        "Il doit des reçus d'effacement : sankofactl erasures --state OVERDUE ; appelez son "
        "délégué à la "
        "protection des données."},
    Row{Trouble::kPartnerNoKey, "PARTNER_NO_KEY",
        "No key of it is good now, so its messages are refused: ask for its new key, then "
        "AddPartnerKey.",
        "Aucune de ses clés n'est valable, ses messages sont donc refusés : demandez la nouvelle, "
        "puis "
        "AddPartnerKey."},
    Row{Trouble::kPartnerKeyEnding, "PARTNER_KEY_ENDING",
        "Its last key ends soon and no further one is known: ask for the next, then AddPartnerKey.",
        "Sa dernière clé prend fin bientôt et aucune autre n'est connue : demandez la suivante, "
        "puis "
        "AddPartnerKey."},
};

const Row& RowOf(Trouble trouble) {
  const auto* row = std::find_if(kRows.begin(), kRows.end(),
                                 [&](const Row& one) { return one.trouble == trouble; });
  status::Check(row != kRows.end(), "a trouble without a name");
  return *row;
}

}  // namespace

std::string_view NameOf(Trouble trouble) { return RowOf(trouble).name; }

std::string_view TodoOf(Trouble trouble, std::string_view language) {
  const Row& row = RowOf(trouble);
  return language == "fr" ? row.fr : row.en;
}

std::vector<Trouble> AllTroubles() {
  std::vector<Trouble> all;
  for (const Row& row : kRows) all.push_back(row.trouble);
  return all;
}

}  // namespace sankofa::ctl
