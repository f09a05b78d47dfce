package sub;

public class Helper {
    public static String größe() {
        return "héllo ☃ from sub";
    }
}
