/* The attack program: see attack.c. */
#include "attack.h"

int main(int argc, char **argv)
{
    return attack_main(argc, argv);
}
