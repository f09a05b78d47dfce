public class Bad { public static void main(String[] args) { return x; } }
